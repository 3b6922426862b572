package smtpserver_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// listened is a server whose trace and log are written down.
func listened(s *smtpserver.Server) (*smtpserver.Server, *bytes.Buffer) {
	var book bytes.Buffer
	s.Handler = &house{}
	s.Trace = func(*smtpserver.Conn) *smtpserver.Trace {
		return &smtpserver.Trace{
			In:   func(_ time.Time, line []byte) { fmt.Fprintf(&book, "C: %s\n", line) },
			Out:  func(_ time.Time, line []byte) { fmt.Fprintf(&book, "S: %s\n", line) },
			Text: func(_ time.Time, octets int) { fmt.Fprintf(&book, "(%d octets of text)\n", octets) },
			TLS:  func(_ time.Time, s tls.ConnectionState) { fmt.Fprintf(&book, "(%s)\n", tls.VersionName(s.Version)) },
			End:  func(_ time.Time, err error) { fmt.Fprintf(&book, "(end: %v)\n", err) },
		}
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
		c.ask("NOOP \r NOOP", 500)
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
(13 octets of text)
S: 250 Message accepted
C: NOOP ?[31m
S: 500 Control character in the command
C: (CR without LF)
S: 500 CR without LF: a line ends with CRLF, and has neither inside
C: QUIT
S: 221 sina.com closing connection
(end: <nil>)
`
	if book.String() != want {
		t.Errorf("got\n%s\nwant\n%s", book, want)
	}
}

// TestTraceCountsText to the octet, whatever comes together with it, and tells of a
// long one while it comes.
func TestTraceCountsText(t *testing.T) {
	for _, c := range []struct {
		name, said string
		want       string // what the book has of text, and how it ends
	}{
		{"data", "DATA\r\n|hello\r\n.\r\nNOOP\r\nQUIT\r\n", "10 . <nil>"},
		{"stuffed", "DATA\r\n|..\r\n.\r\nQUIT\r\n", "7 . <nil>"},
		{"chunks", "BDAT 5\r\nhelloBDAT 2 LAST\r\n\r\nNOOP\r\nQUIT\r\n", "5 2 . <nil>"},
		{"no chunk", "BDAT 0 LAST\r\nQUIT\r\n", ". <nil>"},
		{"long", "DATA\r\n|" + strings.Repeat("0123456789abcd\r\n", 20_000) + ".\r\nQUIT\r\n", "320003 . <nil>"},
		{"gone", "DATA\r\n|hello\r\n", "7 . unexpected EOF"},
		{"gone between", "", ". EOF"},
		{"nonsense", "GET / HTTP/1.1\r\n", ". 421 4.7.0 This is a mail server, and that was HTTP"},
	} {
		s, book := listened(&smtpserver.Server{})
		inWorld(t, s, func(w *world) {
			conn := w.dial(stranger)
			for part := range strings.SplitSeq("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"+c.said, "|") {
				synctest.Wait() // what comes before the 354 would be taken for an attack
				go func() { _, _ = io.WriteString(conn, part) }()
			}
			synctest.Wait()
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			synctest.Wait()
			conn.Close()
			synctest.Wait()
		})
		if got := textOf(book.String()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// textOf is how much text a book tells of, added up where nothing was said in
// between, and how the session ended.
func textOf(book string) string {
	var got []string
	sum := 0
	for line := range strings.Lines(book) {
		var n int
		if _, err := fmt.Sscanf(line, "(%d octets", &n); err == nil {
			sum += n
			continue
		}
		if sum > 0 {
			got, sum = append(got, strconv.Itoa(sum)), 0
		}
		if end, ok := strings.CutPrefix(line, "(end: "); ok {
			got = append(got, ".", strings.TrimSuffix(end, ")\n"))
		}
	}
	return strings.Join(got, " ")
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
