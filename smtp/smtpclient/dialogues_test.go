package smtpclient_test

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// asker is what a program does with a connection, to say a dialogue's lines.
type asker struct {
	dialer smtpclient.Dialer
	ask    func(t *testing.T, c *smtpclient.Conn)
}

// send returns what sends a message from bob and expects the fates.
func send(to, text, want string, change ...func(*smtpclient.Envelope)) func(*testing.T, *smtpclient.Conn) {
	return func(t *testing.T, c *smtpclient.Conn) {
		t.Helper()
		env := envelope(t, strings.Split(to, " ")...)
		env.From = path(t, "bob@sohu.com")
		for _, f := range change {
			f(&env)
		}
		res, err := c.Send(t.Context(), env, smtpclient.Bytes([]byte(text)))
		if err != nil || fates(res) != want {
			t.Errorf("fates %q, want %q; error %v", fates(res), want, err)
		}
	}
}

func both(fs ...func(*testing.T, *smtpclient.Conn)) func(*testing.T, *smtpclient.Conn) {
	return func(t *testing.T, c *smtpclient.Conn) {
		t.Helper()
		for _, f := range fs {
			f(t, c)
		}
	}
}

const (
	toAlice = "Subject: Hello\r\n\r\nHello, Alice.\r\n"
	toBoth  = "Subject: Hello\r\n\r\nHello, both.\r\n"
)

// askers has an entry for each dialogue in ../testdata/dialogues that this end
// can ask for.
var askers = map[string]asker{
	"01-sohu-to-sina": {smtpclient.Dialer{PlainHELO: true}, send("alice@sina.com",
		"From: Bob <bob@sohu.com>\r\nTo: Alice <alice@sina.com>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0800\r\nSubject: Hello\r\n\r\n"+
			"Hello, Alice.\r\n.and this line began with a dot.\r\n", "accepted 250 .")},
	"02-pipelined-one-refused": {ask: send("alice@sina.com nobody@sina.com", toAlice, "accepted 250 . | permanent 550 RCPT")},
	"03-all-refused":           {ask: both(send("nobody@sina.com", toAlice, "permanent 550 RCPT"), send("alice@sina.com", toAlice, "accepted 250 ."))},
	"04-chunking": {ask: send("alice@sina.com", "Subject: x\r\n\r\n\x00\n.\r\n\xff\r", "accepted 250 BDAT",
		func(e *smtpclient.Envelope) { e.Mail.Body = smtp.BodyBinary })},
	"05-lmtp":                {smtpclient.Dialer{LMTP: true, LocalName: "relay.sina.com"}, send("alice@sina.com full@sina.com", toBoth, "accepted 250 . | temporary 452 .")},
	"06-helo-after-ehlo":     {ask: send("alice@sina.com", toAlice, "accepted 250 .")},
	"07-auth-plain":          {ask: askAuth},
	"08-starttls":            {smtpclient.Dialer{TLS: smtpclient.TLSRequire}, func(*testing.T, *smtpclient.Conn) {}},
	"09-vrfy-expn-noop-help": {ask: askCommands},
	"10-prdr": {ask: send("alice@sina.com strict@sina.com", toBoth, "accepted 250 . | permanent 550 .",
		func(e *smtpclient.Envelope) { e.Mail.PRDR = true })},
}

func askAuth(t *testing.T, c *smtpclient.Conn) {
	auth := &smtpclient.Auth{Username: "bob", Password: "wrong", AllowPlaintext: true}
	if err := c.Auth(t.Context(), auth); err == nil {
		t.Error("a wrong password is good")
	}
	auth.Password = "secret"
	if err := c.Auth(t.Context(), auth); err != nil {
		t.Error(err)
	}
}

func askCommands(t *testing.T, c *smtpclient.Conn) {
	for _, cmd := range []smtp.Command{
		smtp.Noop{}, smtp.Vrfy{User: "alice"}, smtp.Vrfy{User: "nobody"}, smtp.Expn{List: "staff"}, smtp.Help{}, smtp.Rset{},
	} {
		if _, err := c.Cmd(t.Context(), cmd); err != nil {
			t.Error(err)
		}
	}
}

// TestDialogues plays the server of each dialogue to this end, which must say
// the client's lines, octet by octet.
func TestDialogues(t *testing.T) {
	for name, a := range askers {
		t.Run(name, func(t *testing.T) {
			script, err := transcript.ReadFile(filepath.Join("../testdata/dialogues", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { playTo(t, script, a) })
		})
	}
}

func playTo(t *testing.T, script *transcript.Script, a asker) {
	client, server := transcript.Pipe(64 << 10)
	config, roots := (*tls.Config)(nil), (*x509.CertPool)(nil)
	if script.UsesTLS() {
		config, roots = certificate(t, "mx.test")
	} else {
		a.dialer.TLS = smtpclient.TLSNever
	}
	done := make(chan error)
	go func() { done <- script.Serve(server, config) }()
	a.dialer.LocalName = orString(a.dialer.LocalName, "sohu.com")
	a.dialer.TLSConfig = &tls.Config{RootCAs: roots}
	c, err := a.dialer.NewConn(t.Context(), client, "mx.test")
	if err != nil {
		t.Fatal(err)
	}
	a.ask(t, c)
	if err := c.Quit(t.Context()); err != nil {
		t.Errorf("QUIT: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
