package smtpserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// speaker is a session, and a transaction, with words of its own.
type speaker struct{ words map[smtp.Verb]*smtp.Reply }

func (s speaker) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return s, nil
}

func (s speaker) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return s, nil
}

func (s speaker) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (s speaker) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	_, err := io.Copy(io.Discard, body)
	return nil, err
}
func (speaker) Abort()                                         {}
func (speaker) Close()                                         {}
func (s speaker) Speak(v smtp.Verb, _ *smtp.Reply) *smtp.Reply { return s.words[v] }

// TestASessionSpeaks: in its own words where it may, and where what it says would not be legal
// the server speaks.
func TestASessionSpeaks(t *testing.T) {
	words := map[smtp.Verb]*smtp.Reply{
		smtp.Greeting: {Code: 220, Text: "at your service"},
		smtp.VerbEHLO: {Code: 250, Text: "hello\nPIPEDREAM"},
		smtp.VerbMAIL: {Code: 250, Enhanced: smtp.EnhancedCode{2, 1, 0}, Text: "I know him"},
		smtp.VerbRCPT: {Code: 354, Text: "of another hundred"},
		smtp.VerbDATA: {Code: 334, Text: "no answer to DATA"},
		smtp.Dot:      {Code: 450, Text: "this is no yes"},
	}
	client, server := transcript.Pipe(1 << 16)
	s := &smtpserver.Server{Hostname: "mx.test", Handler: speaker{words}}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeConn(server) }()
	got := converse(client, "EHLO me", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "VRFY x", "DATA", ".", "QUIT")
	<-done
	for _, want := range []string{
		"220 mx.test at your service\n", "250-mx.test hello PIPEDREAM\n", "250-PIPELINING", "250 2.1.0 I know him\n",
		"\n250 2.1.5 ", "\n354 End data", "\n250 2.0.0 ", "\n221 ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	for _, no := range []string{"\nPIPEDREAM", "\n250-PIPEDREAM", "another hundred", "no answer", "no yes"} {
		if strings.Contains(got, no) {
			t.Errorf("%q is in\n%s", no, got)
		}
	}
}

// converse says lines, each when the one before was answered, and returns what it hears.
func converse(c net.Conn, lines ...string) string {
	var all strings.Builder
	in := bufio.NewReader(c)
	for i := 0; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return all.String()
		}
		all.WriteString(strings.ReplaceAll(line, "\r", ""))
		if len(line) > 3 && line[3] == ' ' && i < len(lines) {
			_, _ = fmt.Fprintf(c, "%s\r\n", lines[i])
			i++
		}
	}
}
