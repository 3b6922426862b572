package smtpclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// keeper is a handler that keeps the texts that it accepts.
type keeper struct{ texts chan string }

func (k keeper) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return k, nil
}

func (k keeper) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return k, nil
}

func (k keeper) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	if to.Local() == "no" {
		return nil, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "no such user")
	}
	return nil, nil
}

func (k keeper) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	text, err := io.ReadAll(body)
	if err == nil {
		k.texts <- string(text)
	}
	return nil, err
}

func (keeper) Abort() {}
func (keeper) Close() {}

// TestOurServer: what this end sends, our own server receives, octet by octet,
// by each way there is.
func TestOurServer(t *testing.T) {
	k := keeper{make(chan string, 1)}
	s := &smtpserver.Server{Handler: k, Hostname: "mx.test", Offer: smtp.SetOf(smtp.ExtBinaryMIME, smtp.ExtSMTPUTF8)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	long := "Subject: long\r\n\r\n" + strings.Repeat(".a line that begins with a dot\r\n.\r\n", 20000)
	for _, d := range []smtpclient.Dialer{{}, {SingleFlight: true}, {PlainHELO: true}} {
		c, err := plain(&d).Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{hello, ".\r\n", "..\r\n\r\n.\r\n", long, "\x00\r.\n\r\n.\r\n\xff"} {
			env := envelope(t, "a@b.test", "no@b.test")
			if strings.Contains(text, "\x00") {
				env.Mail.Body = smtp.BodyBinary
				if d.PlainHELO {
					continue
				}
			}
			res, err := c.Send(t.Context(), env, body{text: text, size: -1})
			if err != nil || res.Recipients[0].Fate() != smtpclient.Accepted || res.Recipients[1].Fate() != smtpclient.Permanent {
				t.Fatalf("%.20q: fates %q, error %v", text, fates(res), err)
			}
			if got := <-k.texts; got != text {
				t.Errorf("%.20q arrived as %.20q", text, got)
			}
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
}
