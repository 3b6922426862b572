package smtpserver_test

import (
	"context"
	"io"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestHandlerFunc gets the whole envelope, and its reply is the client's.
func TestHandlerFunc(t *testing.T) {
	var got *smtpserver.Message
	var text []byte
	h := smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (reply *smtp.Reply, err error) {
		got = m
		text, err = io.ReadAll(m.Body)
		return smtp.Replyf(250, smtp.EnhancedCode{2, 0, 0}, "queued as 7"), err
	})
	inWorld(t, &smtpserver.Server{Handler: h}, func(w *world) {
		c := w.call()
		c.say("EHLO sohu.com", "MAIL FROM:<>", "RSET", "MAIL FROM:<bob@sohu.com> SIZE=7", "RCPT TO:<alice@sina.com>", "RCPT TO:<carol@sina.com>", "BDAT 2 LAST", "")
		c.hear(250, 250, 250, 250, 250, 250)
		if reply := c.hear(250); reply != "2.0.0 queued as 7" {
			t.Errorf("reply %q", reply)
		}
		if got.From.String() != "bob@sohu.com" || len(got.To) != 2 || got.Params.Size != 7 || string(text) != "\r\n" || got.Conn.Hello() != "sohu.com" {
			t.Errorf("got %+v with %q", got, text)
		}
	})
}
