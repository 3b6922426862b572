package smtpclient_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// fake is a server that answers as it is told, and notes what it hears.
type fake struct {
	offers  []string          // lines of its EHLO reply
	replies map[string]string // by line, or else by first word: octets; "": it goes without a word
	text    []string          // each text that came to its end, dots and all
	lines   []string          // each line that it heard

	tls      *tls.Config // for STARTTLS
	implicit bool        // TLS from the first octet
	sasl     func(mechanism string, conn *tls.Conn) sasl.Server
}

// usual are the replies of a server that accepts everything.
var usual = map[string]string{
	"CONNECT": "220 mx.test\r\n", "HELO": "250 mx.test\r\n", "MAIL": "250 2.1.0 ok\r\n", "RCPT": "250 2.1.5 ok\r\n",
	"DATA": "354 go on\r\n", ".": "250 2.0.0 queued as 1\r\n", "BDAT": "250 2.0.0 octets\r\n", "LAST": "250 2.0.0 queued as 2\r\n",
	"RSET": "250 2.0.0 ok\r\n", "NOOP": "250 2.0.0 ok\r\n", "QUIT": "221 2.0.0 bye\r\n",
}

func (f *fake) answer(line string) (string, bool) {
	word, _, _ := strings.Cut(line, " ")
	for _, key := range []string{line, word} {
		if r, ok := f.replies[key]; ok {
			return r, r != ""
		}
	}
	if word == "EHLO" || word == "LHLO" {
		return smtpReply("250", append([]string{"mx.test"}, f.offers...)), true
	}
	r, ok := usual[word]
	if !ok {
		r = "502 5.5.1 what\r\n"
	}
	return r, true
}

func smtpReply(code string, lines []string) string {
	var b strings.Builder
	for i, l := range lines {
		mark := "-"
		if i == len(lines)-1 {
			mark = " "
		}
		b.WriteString(code + mark + l + "\r\n")
	}
	return b.String()
}

func (f *fake) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if f.implicit {
		conn = tls.Server(conn, f.tls)
	}
	r := bufio.NewReader(conn)
	say := func(key string) bool {
		reply, ok := f.answer(key)
		if !ok {
			return false
		}
		_, err := io.WriteString(conn, reply)
		return err == nil && !strings.HasPrefix(reply, "421") && key != "QUIT"
	}
	if !say("CONNECT") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		f.lines = append(f.lines, line)
		key := line
		if n, ok := strings.CutPrefix(line, "BDAT "); ok {
			size, last, _ := strings.Cut(n, " ")
			octets, _ := strconv.Atoi(size)
			text := make([]byte, octets)
			if _, err := io.ReadFull(r, text); err != nil {
				return
			}
			f.text = append(f.text, string(text))
			if last != "" {
				key = "LAST"
			}
		}
		if mechanism, ok := strings.CutPrefix(line, "AUTH "); ok && f.sasl != nil {
			if f.authenticate(mechanism, conn, r) != nil {
				return
			}
			continue
		}
		if !say(key) {
			return
		}
		if line == "STARTTLS" && f.tls != nil {
			conn = tls.Server(conn, f.tls)
			r = bufio.NewReader(conn)
		}
		if reply, _ := f.answer(line); line == "DATA" && strings.HasPrefix(reply, "354") {
			if !f.readText(r) || !say(".") {
				return
			}
		}
	}
}

func (f *fake) readText(r *bufio.Reader) bool {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			f.text = append(f.text, text.String())
			return true
		}
		text.WriteString(line)
	}
}

// everything is all that changes how a message is sent.
var everything = []string{"PIPELINING", "8BITMIME", "SIZE 1000000"}

// connect runs f with a connection to the server, in a bubble.
func connect(t *testing.T, d *smtpclient.Dialer, s *fake, f func(ctx context.Context, c *smtpclient.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(64 << 10)
		go s.serve(b)
		c, err := plain(d).NewConn(t.Context(), a, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		f(t.Context(), c)
		_ = c.Close()
	})
}

// plain is the dialer with a name and without TLS.
func plain(d *smtpclient.Dialer) *smtpclient.Dialer {
	if d == nil {
		d = &smtpclient.Dialer{}
	}
	d.LocalName, d.TLS = "client.test", smtpclient.TLSNever
	return d
}

func path(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func envelope(t testing.TB, to ...string) smtpclient.Envelope {
	t.Helper()
	env := smtpclient.Envelope{From: path(t, "s@a.test")}
	for _, s := range to {
		env.To = append(env.To, smtpclient.Recipient{Path: path(t, s)})
	}
	return env
}

const hello = "Subject: hello\r\n\r\n.dot\r\nbye\r\n"

// fates prints outcomes as "accepted 250 . | permanent 550 RCPT".
func fates(r *smtpclient.Result) string {
	var all []string
	for i := range r.Recipients {
		o := &r.Recipients[i]
		s := o.Fate().String()
		if o.Reply != nil {
			s += " " + o.Reply.Code.String()
		}
		if o.Local {
			s += " local"
		}
		all = append(all, strings.TrimSpace(s+" "+o.Stage.String()))
	}
	return strings.Join(all, " | ")
}

// authenticate is the server's part of AUTH.
func (f *fake) authenticate(args string, conn net.Conn, r *bufio.Reader) error {
	mechanism, initial, has := strings.Cut(args, " ")
	secure, _ := conn.(*tls.Conn)
	server := f.sasl(mechanism, secure)
	var response []byte
	if has && initial != "=" {
		response, _ = base64.StdEncoding.DecodeString(initial)
	} else if has {
		response = []byte{}
	}
	for {
		challenge, done, err := server.Next(response)
		if err != nil {
			_, err = io.WriteString(conn, "535 5.7.8 no\r\n")
			return err
		}
		if done {
			_, err = io.WriteString(conn, "235 2.7.0 yes\r\n")
			return err
		}
		_, _ = io.WriteString(conn, "334 "+base64.StdEncoding.EncodeToString(challenge)+"\r\n")
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSuffix(line, "\r\n")
		f.lines = append(f.lines, line)
		if line == "*" {
			_, err = io.WriteString(conn, "501 5.7.0 called off\r\n")
			return err
		}
		if response, err = base64.StdEncoding.DecodeString(line); err != nil {
			return err
		}
	}
}
