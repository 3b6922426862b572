package e2e

import (
	"context"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Messages as they are in the mailboxes of the daemon, whole: fields of ours on top, and
// the report that a sender gets. UPDATE_GOLDEN writes testdata/trace/*.txt anew.
func TestMessagesAsTheyArrive(t *testing.T) {
	t.Parallel()
	h := open(t, "trace", "NEXT="+startPeer(t, map[string]string{
		"EHLO": "250-mx.sina.com\r\n250 ENHANCEDSTATUSCODES\r\n", "RCPT": "550 5.1.1 <wang@sina.com>: no such user,\r\n",
	}).addr)
	clear := dial(t, h.at["smtp"])
	d := smtpclient.Dialer{LocalName: "client.test", TLSConfig: &tls.Config{InsecureSkipVerify: true}, TLS: smtpclient.TLSOpportunistic}
	secure, err := d.Dial(context.Background(), "tcp", h.at["smtp"])
	check(t, err)
	defer secure.Close()
	text := "From: li@sohu.com\nTo: everybody\nSubject: hello\nMessage-ID: <hello@sohu.com>\n\nHello.\n"

	send(t, clear, from(t, "li@sohu.com", "one@example.org"), text)
	golden(t, "01-one-recipient", h.letter(t, "one@example.org"))
	send(t, secure, from(t, "li@sohu.com", "two@example.org"), text)
	golden(t, "02-over-tls", h.letter(t, "two@example.org"))
	send(t, clear, from(t, "li@sohu.com", "three@example.org", "four@example.org"), text)
	golden(t, "03-one-of-two", h.letter(t, "three@example.org"))
	send(t, clear, from(t, "", "alias@example.org"), text)
	golden(t, "04-null-sender-to-an-alias", h.letter(t, "five@example.org"))

	e := from(t, "li@example.org", "wang@sina.com")
	e.Mail.EnvID = "QQ314159"
	e.To[0].Params.ORcpt = smtp.ORcpt{Type: "rfc822", Addr: "wang+private@sina.com"}
	send(t, clear, e, text)
	report := h.letter(t, "li@example.org")
	golden(t, "05-report", report)
	golden(t, "06-report-as-python-reads-it", asPythonReads(t, report))
}

// changing is what differs from run to run.
var changing = []struct {
	what *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}`), "DATE"},
	{regexp.MustCompile(`\w+day, \d+ \w+ \d{4}, \d\d:\d\d [+-]\d{4}`), "DAY"},
	{regexp.MustCompile(`\bid [0-9a-z]{20}\b`), "id ID"},
	{regexp.MustCompile(`(Our name for it|X-Posthouse-ID): [0-9a-z]{20}\b`), "$1: ID"},
	{regexp.MustCompile(`<[0-9a-z]{26}@mx`), "<RANDOM@mx"},
	{regexp.MustCompile(`=_[0-9a-f]{40}`), "=_BOUNDARY"},
	{regexp.MustCompile(`\[127\.\d+\.\d+\.\d+\]`), "[HOST]"},
	{regexp.MustCompile(`\b127\.\d+\.\d+\.\d+\b`), "HOST"},
}

// golden compares a text with the one in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, c := range changing {
		got = c.what.ReplaceAllString(got, c.is)
	}
	file := filepath.Join("testdata", "trace", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		write(t, file, got)
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// asPythonReads is a report as a program of others takes it apart.
func asPythonReads(t *testing.T, letter string) string {
	t.Helper()
	needs(t, "python3")
	a, err := txtar.ParseFile(filepath.Join("testdata", "trace.txtar"))
	check(t, err)
	for _, f := range a.Files {
		if f.Name == "read.py" {
			cmd := exec.Command("python3", "-c", string(f.Data))
			cmd.Stdin = strings.NewReader(letter)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
	}
	t.Fatal("there is no read.py")
	return ""
}

// A message that was here before is refused, whether its Delivered-To says so or the
// number of hosts that it has passed.
func TestLoopsAreSeen(t *testing.T) {
	t.Parallel()
	h := open(t, "trace", "NEXT="+vacant(t))
	c := dial(t, h.at["smtp"])
	for text, want := range map[string]string{
		"Delivered-To: one@EXAMPLE.org\nSubject: again\n\nHello.\n":    "554 5.4.6 The message was delivered to its recipient before",
		strings.Repeat("Received: by a.test; x\n", 100) + "\nHello.\n": "554 5.4.6 The message has passed 100 hosts",
	} {
		r := offer(t, c, from(t, "li@sohu.com", "one@example.org"), text)
		if r.Accepted() || !strings.Contains(replies(r), want) {
			t.Errorf("it was told %swant %s", replies(r), want)
		}
	}
	send(t, c, from(t, "li@sohu.com", "one@example.org"), "Delivered-To: two@example.org\n\nFor somebody else before.\n")
	h.letter(t, "one@example.org")
}

// Two houses that each think the other one has the mailboxes: the mail goes to and
// fro until one of them has seen enough, and then the sender hears of it, once.
func TestMailBetweenTwoMirrors(t *testing.T) {
	t.Parallel()
	there := vacant(t)
	a := open(t, "relay", "ADDRESS="+vacant(t), "NEXT="+there, "TLS=never")
	b := open(t, "mirror", "ADDRESS="+there, "NEXT="+a.at["smtp"])
	send(t, dial(t, a.at["smtp"]), from(t, "alice@example.org", "bob@example.net"), "Subject: to and fro\nMessage-ID: <loop@example.org>\n\nHello.\n")
	told := toldIn(t, a.letter(t, "alice@example.org"))
	want := `report "Not delivered: to and fro", about <loop@example.org>
<bob@example.net> failed 5.4.6 by HOST, smtp: 554 5.4.6 The message has passed 100 hosts: it goes in circles
`
	compare(t, "the report", told, want)
	if n := len(b.await(t, "msg=relayed .*to=<bob@example.net>", 49)); n > 50 {
		t.Errorf("it was sent back %d times", n)
	}
}
