package smtpserver_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// listened is a server whose trace and log are written down.
func listened(s *smtpserver.Server) (*smtpserver.Server, *bytes.Buffer) {
	var book bytes.Buffer
	s.Handler = &house{}
	s.Trace = &smtpserver.Trace{
		In:  func(_ *smtpserver.Conn, line string) { fmt.Fprintf(&book, "C: %s\n", line) },
		Out: func(c *smtpserver.Conn, line string) { fmt.Fprintf(&book, "S: %s\n", line) },
	}
	s.Log = slog.New(slog.NewTextHandler(&book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return s, &book
}

// TestSecretsAreMasked: a password is in no trace and in no log, whatever way
// the client says it, right or wrong, in order or not.
func TestSecretsAreMasked(t *testing.T) {
	const canary = "c4n4ry"
	coded := base64.StdEncoding.EncodeToString([]byte(canary))
	plain := base64.StdEncoding.EncodeToString([]byte("\x00bob\x00" + canary))
	rounds := base64.StdEncoding.EncodeToString([]byte("\x00x\x00" + strings.Repeat(canary, 3)))
	for _, dialogue := range [][]string{
		{"AUTH PLAIN " + plain},
		{"auth  plain " + plain},
		{"AUTH PLAIN", plain},
		{"AUTH LOGIN", "Ym9i", coded},
		{"AUTH LOGIN " + coded, coded},
		{"AUTH PLAIN=" + plain},
		{"AUTH PLAIN " + plain + " " + plain},
		{"AUTH NO-SUCH " + plain, plain},
		{"AUTH NO-SUCH", coded, plain, plain}, // the client does not notice that it is refused
		{"AUTH PLAIN\t" + plain},
		{"AUTH\tPLAIN " + plain},
		{" AUTH PLAIN " + plain},
		{"AUTH LOGIN", "Ym9i", plain + plain + "!", coded},
		{"AUTH LOGIN", "*", plain},
		{"AUTH X-ROUNDS", rounds, rounds, "*"},
		{"AUTH PLAIN " + strings.Repeat(plain, 1000)},
	} {
		for _, plaintext := range []bool{false, true} {
			s, book := listened(&smtpserver.Server{PlaintextAuth: plaintext, TLS: withCertificate()})
			inWorld(t, s, func(w *world) {
				c := w.call()
				c.say(append([]string{"EHLO sohu.com"}, dialogue...)...)
				c.say("QUIT")
				readReplies(t, c.r)
			})
			for _, secret := range []string{canary, coded, plain[:12], rounds[8:20]} {
				if strings.Contains(book.String(), secret) {
					t.Errorf("%.60q is told to all:\n%.2000s", dialogue, book)
				}
			}
			if !strings.Contains(book.String(), "C: EHLO sohu.com\n") || !strings.Contains(book.String(), "S: 250 HELP\n") {
				t.Errorf("nothing is told: %.300s", book)
			}
		}
	}
}

// TestTraceShowsTheDialogue as a postmaster reads it; the text of a message is
// not shown.
func TestTraceShowsTheDialogue(t *testing.T) {
	s, book := listened(&smtpserver.Server{PlaintextAuth: true})
	s.Withhold = ^s.Withhold
	inWorld(t, s, func(w *world) {
		c := w.call()
		c.begin()
		c.ask("DATA", 354)
		c.ask("the text\r\n.", 250)
		c.ask("NOOP \x1b[31m", 500)
		c.ask("QUIT", 221)
		synctest.Wait()
	})
	want := `S: 220 sina.com ESMTP ready
C: EHLO sohu.com
S: 250 sina.com greets sohu.com
C: MAIL FROM:<bob@sohu.com>
S: 250 Sender OK
C: RCPT TO:<alice@sina.com>
S: 250 Recipient OK
C: DATA
S: 354 End data with <CRLF>.<CRLF>
S: 250 Message accepted
C: NOOP ?[31m
S: 500 Control character in the command
C: QUIT
S: 221 sina.com closing connection
`
	if book.String() != want {
		t.Errorf("got\n%s\nwant\n%s", book, want)
	}
}

// TestLogsCarryNoInjection: no control character of a client reaches trace or
// log.
func TestLogsCarryNoInjection(t *testing.T) {
	s, book := listened(&smtpserver.Server{PlaintextAuth: true, TLS: withCertificate()})
	s.Limits.Errors = -1
	inWorld(t, s, func(w *world) {
		c := w.call()
		for _, verb := range []string{"EHLO ", "MAIL FROM:", "AUTH ", "AUTH PLAIN ", "VRFY ", "XCLIENT NAME=", ""} {
			for _, bad := range []string{"\x00", "\x1b[2J", "\x07", "\x7f", "\xc2\x9b31m", "\xe2\x80\xa8", "\xff", "\x08"} {
				c.say(verb + bad)
				if code, _, err := c.reply(); err != nil {
					t.Fatalf("%q: %d %v", verb+bad, code, err)
				} else if code == 334 {
					c.ask("*", 501)
				}
			}
		}
		c.ask("MAIL FROM:<error@sohu.com>", 503)
		c.ask("EHLO sohu.com", 250)
		c.ask("MAIL FROM:<error@sohu.com>", 451)
		c.ask("QUIT", 221)
	})
	for i, r := range book.String() {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\uFFFD') {
			t.Fatalf("%q is let through near %q", r, book.String()[max(0, i-40):i])
		}
	}
	if !strings.Contains(book.String(), "the cellar is flooded") {
		t.Error("the error of the handler is not logged")
	}
}
