package smtpclient_test

import (
	"errors"
	"net"
	netsmtp "net/smtp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// SendMail can stand where that of net/smtp stood.
var _ func(string, netsmtp.Auth, string, []string, []byte) error = smtpclient.SendMail

// listen runs the server for one connection on the loopback interface.
func listen(t *testing.T, s *fake) (addr string, done chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			s.serve(conn)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), done
}

// TestSendMail: over a real socket, with LF for line ends, with AUTH of
// net/smtp, and with a recipient that is refused.
func TestSendMail(t *testing.T) {
	s := &fake{offers: append(everything, "AUTH PLAIN"), sasl: saslServer, replies: map[string]string{"RCPT TO:<no@b.test>": "550 5.1.1 no\r\n"}}
	addr, done := listen(t, s)
	err := smtpclient.SendMail(addr, netsmtp.PlainAuth("", "user", "secret", "127.0.0.1"), "s@a.test",
		[]string{"yes@b.test", "no@b.test"}, []byte("Subject: x\n\n.dot\n"))
	<-done
	var refused *smtpclient.RecipientsError
	var r *smtp.Reply
	if !errors.As(err, &refused) || len(refused.Outcomes) != 1 || !errors.As(err, &r) || r.Code != 550 || err.Error() != "no@b.test: 550 5.1.1 no" {
		t.Errorf("error %v", err)
	}
	if got := strings.Join(s.text, "|"); got != "Subject: x\r\n\r\n..dot\r\n" {
		t.Errorf("text %q", got)
	}
	if got := words(s.lines); got != "EHLO AUTH MAIL RCPT RCPT DATA QUIT" {
		t.Errorf("heard %s", got)
	}
}

// TestSendMailRefuses: bad addresses say so before anything is dialled, and a
// server with TLS must have a good certificate.
func TestSendMailRefuses(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"s@a.test>\r\nRSET", "r@b.test"}, {"s@a.test", "r@b.test> NOTIFY=NEVER"}, {"s", "r@b.test"}, {"s@a.test", ""},
	} {
		if err := smtpclient.SendMail("127.0.0.1:1", nil, c.from, []string{c.to}, nil); err == nil || strings.Contains(err.Error(), "refused") {
			t.Errorf("%q to %q: error %v", c.from, c.to, err)
		}
	}
	s := &fake{offers: []string{"STARTTLS"}, replies: map[string]string{"STARTTLS": "220 go\r\n"}}
	s.tls, _ = certificate(t, "mx.test")
	addr, done := listen(t, s)
	if err := smtpclient.SendMail(addr, nil, "s@a.test", []string{"r@b.test"}, []byte(hello)); err == nil {
		t.Error("sent to a server with a bad certificate")
	}
	<-done
	if got := words(s.lines); !strings.HasPrefix(got, "EHLO STARTTLS") || strings.Contains(got, "MAIL") {
		t.Errorf("heard %q", got)
	}
}
