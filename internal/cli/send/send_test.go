package send

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		o                options
		network, address string
	}{
		{options{server: "mail.example"}, "tcp", "mail.example:25"},
		{options{server: "mail.example:587"}, "tcp", "mail.example:587"},
		{options{server: "mail.example", tls: "implicit"}, "tcp", "mail.example:465"},
		{options{server: "mail.example", lmtp: true}, "tcp", "mail.example:24"},
		{options{server: "/run/lmtp", lmtp: true}, "unix", "/run/lmtp"},
		{options{server: "./lmtp"}, "unix", "./lmtp"},
	} {
		network, address, err := c.o.address()
		if err != nil || network != c.network || address != c.address {
			t.Errorf("%+v is %s %s, %v; want %s %s", c.o.server, network, address, err, c.network, c.address)
		}
	}
}

func TestConnectionStatus(t *testing.T) {
	at := func(stage smtp.Verb, err error) error { return &smtpclient.ConnectionError{Stage: stage, Err: err} }
	reply := func(code smtp.Code) *smtp.Reply { return &smtp.Reply{Code: code, Text: "no"} }
	for _, c := range []struct {
		err  error
		want cli.Status
	}{
		{at(0, &net.DNSError{IsNotFound: true}), cli.NoHost},
		{at(0, &net.DNSError{IsTimeout: true}), cli.TempFail},
		{at(0, syscall.ECONNREFUSED), cli.TempFail},
		{at(smtp.Greeting, reply(554)), cli.Unavailable},
		{at(smtp.Greeting, reply(421)), cli.TempFail},
		{at(smtp.Greeting, io.EOF), cli.TempFail},
		{at(smtp.VerbEHLO, &smtp.MalformedReplyError{Line: "x"}), cli.Protocol},
		{at(smtp.VerbEHLO, smtp.ErrReplyTooLong), cli.Protocol},
		{at(smtp.VerbEHLO, smtp.ErrBareLF), cli.Protocol},
		{at(smtp.VerbDATA, &smtpclient.UnexpectedReplyError{Verb: smtp.VerbDATA, Got: reply(250)}), cli.Protocol},
		{at(smtp.VerbDATA, &smtpclient.UnexpectedReplyError{Verb: smtp.VerbDATA, Got: reply(599)}), cli.Unavailable},
		{at(smtp.VerbSTARTTLS, smtpclient.ErrNotOffered), cli.Unavailable},
		{at(smtp.VerbSTARTTLS, smtpclient.ErrInjected), cli.Protocol},
		{at(smtp.VerbSTARTTLS, x509.UnknownAuthorityError{}), cli.Unavailable},
		{at(smtp.VerbSTARTTLS, x509.HostnameError{Certificate: new(x509.Certificate)}), cli.Unavailable},
		{at(smtp.VerbSTARTTLS, tls.RecordHeaderError{}), cli.Protocol},
		{at(smtp.VerbAUTH, &smtpclient.AuthError{Reply: reply(535)}), cli.NoPerm},
		{at(smtp.VerbAUTH, &smtpclient.AuthError{Reply: reply(454)}), cli.TempFail},
		{at(smtp.VerbAUTH, smtpclient.ErrPlaintext), cli.NoPerm},
		{at(smtp.VerbAUTH, smtpclient.ErrNoMechanism), cli.NoPerm},
		{at(smtp.Dot, context.Canceled), cli.TempFail},
	} {
		if got := connectionStatus(c.err); got != c.want {
			t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
		}
	}
}

func TestFate(t *testing.T) {
	unknown := fmt.Errorf("%w: cut", smtpclient.ErrUnknownOutcome)
	refused := func(code smtp.Code) *smtp.Reply { return &smtp.Reply{Code: code} }
	for _, c := range []struct {
		outcome smtpclient.Outcome
		word    string
		status  cli.Status
	}{
		{smtpclient.Outcome{Stage: smtp.Dot, Reply: refused(250)}, "accepted", cli.OK},
		{smtpclient.Outcome{Stage: smtp.VerbRCPT, Reply: refused(550), Err: refused(550)}, "permanent", cli.Unavailable},
		{smtpclient.Outcome{Stage: smtp.VerbRCPT, Reply: refused(450), Err: refused(450)}, "temporary", cli.TempFail},
		{smtpclient.Outcome{Stage: smtp.VerbMAIL, Reply: refused(550), Err: refused(550)}, "permanent", cli.Unavailable},
		{smtpclient.Outcome{Stage: smtp.VerbMAIL, Reply: refused(552), Local: true, Err: refused(552)}, "permanent", cli.DataErr},
		{smtpclient.Outcome{Stage: smtp.Dot, Reply: refused(554), Err: refused(554)}, "permanent", cli.DataErr},
		{smtpclient.Outcome{Stage: smtp.VerbBDAT, Reply: refused(554), Err: refused(554)}, "permanent", cli.DataErr},
		{smtpclient.Outcome{Stage: smtp.Dot, Err: unknown}, "unknown", cli.TempFail},
		{smtpclient.Outcome{Stage: smtp.VerbMAIL, Err: io.EOF}, "temporary", cli.TempFail},
	} {
		word, status := fate(&c.outcome)
		if word != c.word || status != c.status {
			t.Errorf("%+v is %s with %d, want %s with %d", c.outcome, word, status, c.word, c.status)
		}
	}
}

// What trying again cannot mend decides, wherever in the list it stands.
func TestWorstStatus(t *testing.T) {
	ok, temporary, refused, data := cli.OK, cli.TempFail, cli.Unavailable, cli.DataErr
	for _, c := range []struct {
		all  []cli.Status
		want cli.Status
	}{
		{[]cli.Status{ok, ok}, ok},
		{[]cli.Status{ok, temporary, ok}, temporary},
		{[]cli.Status{temporary, refused, ok}, refused},
		{[]cli.Status{data, temporary}, data},
	} {
		var r report
		for _, s := range c.all {
			r.Recipients = append(r.Recipients, recipient{status: s})
		}
		if got := r.status(); got != c.want {
			t.Errorf("%v is %d, want %d", c.all, got, c.want)
		}
	}
}

// A letter reads the same each time, and is as long as it says.
func TestLetterReadsTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("Subject: x\n\n.\nlast"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"from a file":  {to: []string{"a@b.example"}, raw: path},
		"from stdin":   {to: []string{"a@b.example"}, raw: "-"},
		"plain":        {to: []string{"a@b.example"}, subject: "x", text: "y"},
		"attachment":   {to: []string{"a@b.example"}, attach: []string{path}},
		"UTF-8 header": {to: []string{"用户@例子.公司"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := o.letter(strings.NewReader("Subject: x\n\nfrom stdin\n"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			var texts [2][]byte
			for i := range texts {
				r, err := l.Open()
				if err != nil {
					t.Fatal(err)
				}
				if texts[i], err = io.ReadAll(r); err != nil {
					t.Fatal(err)
				}
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if int64(len(texts[i])) != l.Size() {
					t.Errorf("%d octets, said were %d", len(texts[i]), l.Size())
				}
			}
			if name != "attachment" && !bytes.Equal(texts[0], texts[1]) { // whose boundary is made anew
				t.Errorf("read first\n%s, then\n%s", texts[0], texts[1])
			}
		})
	}
}

// The copy of the standard input goes away, whatever becomes of the letter.
func TestStdinLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	o := options{to: []string{"a@b.example"}, raw: "-"}
	l, err := o.letter(strings.NewReader("Subject: x\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	if _, err := o.letter(io.MultiReader(strings.NewReader("Sub"), brokenReader{})); err == nil {
		t.Error("a broken standard input makes a letter")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v was left", left)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestNullSender(t *testing.T) {
	o := options{from: "<>", raw: "x"}
	if a, err := o.author(); err != nil || a.Addr != "" {
		t.Errorf("the null sender is %v, %v", a, err)
	}
	o.raw = ""
	if a, err := o.author(); err == nil {
		t.Errorf("a letter without an author is by %v", a)
	}
}

// A stranger's reply stays on its line.
func TestTableIsSafe(t *testing.T) {
	r := report{Recipients: []recipient{{
		To: "a@b", Fate: "permanent", Stage: "RCPT",
		Reply: &reply{Code: 550, Text: "one\nfake  x@y  250 ok\x1b[2J"},
	}}}
	var out bytes.Buffer
	if err := r.table(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
		t.Errorf("the table is %q", got)
	}
}

// The connection breaks between the final dot and its reply: nobody knows, and
// the report says so.
func TestUnknownFate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go hangUpAfterDot(l)
	o := options{server: l.Addr().String(), tls: "never", to: []string{"a@b.example"}, text: "x"}
	d, err := o.dialer()
	if err != nil {
		t.Fatal(err)
	}
	letter, err := o.letter(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := o.deliver(t.Context(), d, "tcp", o.server, letter)
	if got := r.Recipients[0]; got.Fate != "unknown" || r.status() != cli.TempFail {
		t.Errorf("the fate is %+v, the status %d", got, r.status())
	}
	var out bytes.Buffer
	if err := r.print(&out, false); err == nil || !strings.Contains(out.String(), "unknown  a@b.example  outcome unknown: ") {
		t.Errorf("printed is %q, %v", &out, err)
	}
}

func hangUpAfterDot(l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprint(c, "220 hello\r\n")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
		case "EHLO", "MAIL", "RCPT":
			fmt.Fprint(c, "250 ok\r\n")
		case "DATA":
			fmt.Fprint(c, "354 go\r\n")
		case ".":
			return
		}
	}
}
