package dsn_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write what is made into testdata, to be read before it is committed")

// content is a message in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

const letter = "Received: from pc.sohu.com by mx.sohu.com; Mon, 02 Mar 2026 09:59:59 +0800\r\n" +
	"From: alice@sohu.com\r\nTo: bob@sina.com\r\nSubject: Dinner\r\nMessage-ID: <dinner@sohu.com>\r\n\r\n" +
	"At eight?\r\n.\r\nAlice\r\n"

var day = time.Date(2026, 3, 2, 10, 0, 0, 0, time.FixedZone("", 8*60*60))

func path(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// report is one about the letter, without recipients.
func report(t testing.TB) *dsn.Report {
	t.Helper()
	return &dsn.Report{
		MTA: "mx.sohu.com", From: path(t, "postmaster@sohu.com"), To: path(t, "alice@sohu.com"),
		Date: day, ID: "<report@sohu.com>", Through: "0123456789abcdefghjk",
		EnvID: "QQ314159", Arrived: day.Add(-time.Minute), Client: "pc.sohu.com",
		Subject: "Dinner", MessageID: "<dinner@sohu.com>",
	}
}

func refused(t testing.TB) dsn.Recipient {
	t.Helper()
	return dsn.NewRecipient(mail.Recipient{To: path(t, "bob@sina.com")}, mail.Outcome{
		Fate: mail.Failed, At: day, Host: "mx.sina.com",
		Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no such user\nsee https://sina.com/help"),
	}, mail.ReportFailed)
}

func write(t testing.TB, r *dsn.Report, c mail.Content) (string, dsn.Needs) {
	t.Helper()
	var b strings.Builder
	needs, err := dsn.Write(&b, r, c)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), needs
}

// TestReportsAsTheyAreSent holds whole reports against files to be read.
func TestReportsAsTheyAreSent(t *testing.T) {
	reports := map[string]func(*dsn.Report) mail.Content{
		"01-no-such-mailbox": func(r *dsn.Report) mail.Content {
			r.Recipients = []dsn.Recipient{refused(t)}
			return content(letter)
		},
		"02-delayed": func(r *dsn.Report) mail.Content {
			to := dsn.NewRecipient(mail.Recipient{To: path(t, "bob@sina.com"), ORcpt: smtp.ORcpt{Type: "rfc822", Addr: "Bobby@sina.com"}},
				mail.Outcome{Fate: mail.Deferred, At: day, Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "mx.sina.com: connection timed out"), Local: true},
				mail.ReportDelayed)
			to.Until = day.Add(5 * 24 * time.Hour)
			r.Recipients = []dsn.Recipient{to}
			return content(letter)
		},
		"03-as-you-asked": func(r *dsn.Report) mail.Content {
			r.Recipients = []dsn.Recipient{
				dsn.NewRecipient(mail.Recipient{To: path(t, "bob@sohu.com")}, mail.Outcome{Fate: mail.Delivered, At: day}, mail.ReportDelivered),
				dsn.NewRecipient(mail.Recipient{To: path(t, "carol@old.example")}, mail.Outcome{
					Fate: mail.Relayed, At: day, Host: "mx.old.example", Reply: smtp.Replyf(250, smtp.EnhancedCode{2, 0, 0}, "ok"),
				}, mail.ReportRelayed),
			}
			return content(letter)
		},
		"04-some-failed-headers-only": func(r *dsn.Report) mail.Content {
			r.Return = smtp.ReturnHeaders
			r.Subject, r.EnvID = "晚饭", "has spaces and = signs"
			expired := dsn.NewRecipient(mail.Recipient{To: path(t, "dave@example.org")}, mail.Outcome{
				Fate: mail.Expired, At: day, Host: "mx.example.org", Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "come back later"),
			}, mail.ReportFailed)
			r.Recipients = []dsn.Recipient{refused(t), expired, dsn.NewRecipient(
				mail.Recipient{To: path(t, "bob@sohu.com")}, mail.Outcome{Fate: mail.Delivered, At: day}, mail.ReportDelivered)}
			return content(strings.Replace(letter, "Dinner", "晚饭", 1))
		},
		"05-addresses-past-ascii": func(r *dsn.Report) mail.Content {
			r.UTF8 = true
			r.To = path(t, "爱丽丝@sohu.com")
			r.Recipients = []dsn.Recipient{dsn.NewRecipient(
				mail.Recipient{To: path(t, "鲍勃@sina.com"), ORcpt: smtp.ORcpt{Type: "utf-8", Addr: "小鲍@sina.com"}},
				mail.Outcome{Fate: mail.Failed, At: day, Host: "mx.sina.com", Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 2, 1}, "停用")},
				mail.ReportFailed)}
			return content(strings.Replace(letter, "alice@", "爱丽丝@", 1))
		},
		"06-addresses-past-ascii-for-plain-ways": func(r *dsn.Report) mail.Content {
			r.Recipients = []dsn.Recipient{
				dsn.NewRecipient(
					mail.Recipient{To: path(t, "鲍勃@sina.com"), ORcpt: smtp.ORcpt{Type: "utf-8", Addr: "小鲍@sina.com"}},
					mail.Outcome{Fate: mail.Failed, At: day, Host: "mx.sina.com", Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 2, 1}, "停用")},
					mail.ReportFailed),
				// A domain past ASCII has a form in ASCII.
				dsn.NewRecipient(mail.Recipient{To: path(t, "bob@例子.中国")},
					mail.Outcome{Fate: mail.Failed, At: day, Local: true, Reply: smtp.Replyf(556, smtp.EnhancedCode{5, 1, 10}, "the domain takes no mail")},
					mail.ReportFailed),
			}
			return nil // the message is gone
		},
	}
	for name, fill := range reports {
		t.Run(name, func(t *testing.T) {
			r := report(t)
			c := fill(r)
			text, needs := write(t, r, c)
			checkShape(t, text, needs)
			text = fmt.Sprintf("# needs BODY=%s SMTPUTF8=%v\n%s", needs.Body, needs.UTF8, strings.ReplaceAll(text, "\r\n", "\n"))
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), text); d != "" {
				t.Error(d)
			}
		})
	}
}

// checkShape holds a report to what every message must keep to.
func checkShape(t testing.TB, text string, needs dsn.Needs) {
	t.Helper()
	var i message.Inspector
	io.WriteString(&i, text)
	traits := i.Traits()
	if traits.BareCR || traits.BareLF || traits.NUL || traits.LongestLine > 998 {
		t.Errorf("the report is not text in lines: %+v", traits)
	}
	if traits.UTF8Header && !needs.UTF8 || (traits.Body8Bit || traits.UTF8Header) && needs.Body != smtp.Body8Bit && !needs.UTF8 {
		t.Errorf("the report needs more than it says: %+v, %+v", traits, needs)
	}
	if !strings.HasSuffix(text, "\r\n") {
		t.Error("the last line has no end")
	}
}

// TestAllOfRFC3461 writes a report for each NOTIFY, RET, ORCPT and outcome for
// which one is owed, reads it back, and keeps the table in testdata.
func TestAllOfRFC3461(t *testing.T) {
	var table strings.Builder
	table.WriteString("# NOTIFY             RET  ORCPT  outcome   | report     Original-Recipient       returned\n")
	const s, f, d = smtp.NotifySuccess, smtp.NotifyFailure, smtp.NotifyDelay
	for _, notify := range []smtp.Notify{0, smtp.NotifyNever, s, f, d, s | f, s | d, f | d, s | f | d} {
		for _, ret := range []smtp.Return{"", smtp.ReturnFull, smtp.ReturnHeaders} {
			for _, orcpt := range []smtp.ORcpt{{}, {Type: "rfc822", Addr: "Robert@sina.com"}, {Type: "utf-8", Addr: "鲍勃@sina.com"}} {
				for _, o := range outcomes() {
					got := combination(t, notify, ret, orcpt, o.outcome)
					fmt.Fprintf(&table, "%-20s %-4s %-6s %-9s | %s\n", or(notify.String()), or(string(ret)), or(orcpt.Type), o.name, got)
				}
			}
		}
	}
	const file = "testdata/all-of-rfc3461.table"
	if *update {
		if err := os.WriteFile(file, []byte(table.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), table.String()); d != "" {
		t.Error(d)
	}
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type namedOutcome struct {
	name    string
	outcome mail.Outcome
}

func outcomes() []namedOutcome {
	no, later := smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no"), smtp.Replyf(450, smtp.EnhancedCode{4, 2, 2}, "later")
	return []namedOutcome{
		{"delivered", mail.Outcome{Fate: mail.Delivered}},
		{"relayed", mail.Outcome{Fate: mail.Relayed, Host: "mx"}},
		{"to-dsn", mail.Outcome{Fate: mail.Relayed, Host: "mx", Forwarded: true}},
		{"delayed", mail.Outcome{Fate: mail.Deferred, Host: "mx", Reply: later}},
		{"failed", mail.Outcome{Fate: mail.Failed, Host: "mx", Reply: no}},
		{"expired", mail.Outcome{Fate: mail.Expired, Host: "mx", Reply: later}},
		{"discarded", mail.Outcome{Fate: mail.Discarded}},
		{"removed", mail.Outcome{Fate: mail.Removed}},
	}
}

// combination returns what is in the report for one combination, after holding
// it to RFC 3461, 6.2 and 6.3.
func combination(t *testing.T, notify smtp.Notify, ret smtp.Return, orcpt smtp.ORcpt, o mail.Outcome) string {
	t.Helper()
	a := o.Owes(notify, false)
	if a == 0 {
		return "-"
	}
	r := report(t)
	r.Return = ret
	r.Recipients = []dsn.Recipient{dsn.NewRecipient(mail.Recipient{To: path(t, "bob@sina.com"), ORcpt: orcpt}, o, a)}
	text, needs := write(t, r, content(letter))
	checkShape(t, text, needs)
	got, err := dsn.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	to := got.Recipients[0]
	if len(got.Recipients) != 1 || to.Action != a || to.Original != orcpt || to.Final.Addr != "bob@sina.com" || got.EnvID != r.EnvID || got.MTA != r.MTA {
		t.Errorf("read back: %+v", got)
	}
	returned := "header"
	if strings.Contains(text, "At eight?") {
		returned = "message"
	}
	if whole := a == mail.ReportFailed && ret != smtp.ReturnHeaders; whole != (returned == "message") {
		t.Errorf("RET=%s, %s: the %s is returned", ret, a, returned)
	}
	return fmt.Sprintf("%-10s %-24s %s", a, or(orcpt.String()), returned)
}

func TestTheNullSenderGetsNoReport(t *testing.T) {
	r := report(t)
	r.Recipients = []dsn.Recipient{refused(t)}
	r.To = smtp.Path{}
	var b bytes.Buffer
	if _, err := dsn.Write(&b, r, nil); !errors.Is(err, dsn.ErrNullSender) || b.Len() > 0 {
		t.Errorf("%v, and %d octets", err, b.Len())
	}
}

// TestNothingInAReportEndsALine fills every string with what could break out
// of its line.
func TestNothingInAReportEndsALine(t *testing.T) {
	const evil = "x\r\nBcc: victim@example.org\r\n\r\n--=_\n\x00\x1b[2J\u2028y"
	r := report(t)
	r.MTA, r.Through, r.EnvID, r.Client, r.Subject, r.MessageID = evil, evil, evil, evil, evil, evil
	r.ID = "<report@sohu.com>"
	to := refused(t)
	to.Final.Addr, to.Original = evil, smtp.ORcpt{Type: "rfc822" + evil, Addr: evil}
	to.Remote, to.Diagnostic = evil, dsn.Diagnostic{Type: "smtp" + evil, Text: evil}
	r.Recipients = []dsn.Recipient{to}
	long := refused(t)
	long.Final.Addr, long.Original = strings.Repeat("a", 3000), smtp.ORcpt{Type: "utf-8", Addr: strings.Repeat("鲍", 300)}
	r.Recipients = append(r.Recipients, long)
	for _, utf8 := range []bool{false, true} {
		r.UTF8 = utf8
		text, needs := write(t, r, content("Subject: a\rb\nX:\x00\x1b\r\n c\r\n\r\nBody\r\n"))
		checkShape(t, text, needs)
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "Bcc:") || strings.ContainsAny(line, "\x00\x1b") {
				t.Errorf("a line of the report: %q", line)
			}
		}
	}
}

// TestWhatIsReturned says how much of an original comes back, by what it is.
func TestWhatIsReturned(t *testing.T) {
	big := letter + strings.Repeat("0123456789\r\n", 100_000)
	eightBit := strings.Replace(letter, "eight", "huit à", 1)
	for _, c := range []struct {
		name, original string
		utf8           bool
		kind           string // of the third part
		body           smtp.Body
	}{
		{"a letter", letter, false, "message/rfc822", smtp.Body7Bit},
		{"a large one", big, false, "text/rfc822-headers", smtp.Body7Bit},
		{"8-bit", eightBit, false, "message/rfc822", smtp.Body8Bit},
		{"a header in UTF-8 for a plain way", strings.Replace(letter, "Dinner", "Dîner", 1), false, "message/global-headers", smtp.Body7Bit},
		{"a header in UTF-8", strings.Replace(letter, "Dinner", "Dîner", 1), true, "message/global", smtp.Body8Bit},
		{"a header in something else", strings.Replace(letter, "Dinner", "D\xeener", 1), false, "text/rfc822-headers", smtp.Body7Bit},
		{"NUL", letter + "\x00\r\n", false, "text/rfc822-headers", smtp.Body7Bit},
		{"a bare LF", letter + "a\nb\r\n", false, "text/rfc822-headers", smtp.Body7Bit},
		{"a long line", letter + strings.Repeat("a", 999) + "\r\n", false, "text/rfc822-headers", smtp.Body7Bit},
		{"a long header line", "X: " + strings.Repeat("a", 5000) + "\r\n" + letter, false, "text/rfc822-headers", smtp.Body7Bit},
		{"a huge header", strings.Repeat("X: a\r\n", 300_000) + letter, false, "text/rfc822-headers", smtp.Body7Bit},
		{"nothing but a body", "\r\nHello\r\n", false, "message/rfc822", smtp.Body7Bit},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(t)
			r.UTF8 = c.utf8
			r.Recipients = []dsn.Recipient{refused(t)}
			text, needs := write(t, r, content(c.original))
			checkShape(t, text, needs)
			if strings.Count(text, "\r\nContent-Type: "+c.kind+"\r\n") != 1 || needs.Body != c.body {
				t.Errorf("it is not %s with BODY=%s (%s):\n%.2500s", c.kind, c.body, needs.Body, text)
			}
			if len(text) > 1<<20+10_000 {
				t.Errorf("%d octets", len(text))
			}
		})
	}
}

// broken is a message that the disk does not give back.
type broken struct{ content }

var errDisk = errors.New("disk")

func (broken) Open() (io.ReadCloser, error) { return nil, errDisk }

func TestErrorsAreTold(t *testing.T) {
	r := report(t)
	if _, err := dsn.Write(io.Discard, r, nil); err == nil {
		t.Error("a report without recipients is written")
	}
	r.Recipients = []dsn.Recipient{refused(t)}
	if _, err := dsn.Write(io.Discard, r, broken{}); !errors.Is(err, errDisk) {
		t.Errorf("the original cannot be read: %v", err)
	}
	if _, err := dsn.Write(fullDisk{}, r, content(letter)); !errors.Is(err, errDisk) {
		t.Errorf("the report cannot be written: %v", err)
	}
	if _, err := dsn.Read(io.MultiReader(strings.NewReader("Subject: x\r\n"), fullDisk{})); !errors.Is(err, errDisk) {
		t.Errorf("the report cannot be read: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errDisk }
func (fullDisk) Read([]byte) (int, error)  { return 0, errDisk }

// TestEveryStatusHasWords holds each code of the registry to an explanation.
func TestEveryStatusHasWords(t *testing.T) {
	for _, e := range smtp.EnhancedCodes {
		for class, a := range map[int]mail.Action{4: mail.ReportDelayed, 5: mail.ReportFailed} {
			r := report(t)
			to := refused(t)
			to.Status, to.Action = smtp.EnhancedCode{class, e.Subject, e.Detail}, a
			to.Diagnostic = dsn.Diagnostic{}
			r.Recipients = []dsn.Recipient{to}
			text, _ := write(t, r, nil)
			_, after, _ := strings.Cut(text, "<bob@sina.com>\r\n")
			why, _, _ := strings.Cut(after, "\r\n")
			if len(strings.TrimSpace(why)) < 15 {
				t.Errorf("%v says %q", to.Status, why)
			}
		}
	}
}

// Reports name a host in a way that means something where they are read: found
// when a mail store behind a socket was named by its path.
func TestNamesOfHosts(t *testing.T) {
	for host, want := range map[string]string{
		"mx.sina.com": "mx.sina.com", "mx.sina.com:2525": "mx.sina.com", "": "",
		"192.0.2.1": "[192.0.2.1]", "192.0.2.1:24": "[192.0.2.1]", "2001:db8::1": "[IPv6:2001:db8::1]", "[2001:db8::1]:24": "[IPv6:2001:db8::1]",
		"/run/dovecot/lmtp": "",
	} {
		r := dsn.NewRecipient(mail.Recipient{To: path(t, "bob@sina.com")}, mail.Outcome{Host: host}, mail.ReportFailed)
		if r.Remote != want {
			t.Errorf("%q is reported as %q, want %q", host, r.Remote, want)
		}
	}
}
