package send

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func TestPlain(t *testing.T) {
	at := func(stage smtp.Verb, err error) error { return &smtpclient.ConnectionError{Stage: stage, Err: err} }
	busy := &smtp.Reply{Code: smtp.CodeMailboxBusy, Text: "busy"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{at(smtp.VerbUnknown, syscall.ECONNREFUSED), "connection refused"},
		{at(smtp.Greeting, io.ErrUnexpectedEOF), "CONNECT: the server closed the connection"},
		{at(smtp.VerbSTARTTLS, fmt.Errorf("TLS handshake: %w", io.EOF)), "STARTTLS: TLS handshake: the server closed the connection"},
		{fmt.Errorf("%w: %w", smtpclient.ErrUnknownOutcome, at(smtp.Dot, io.ErrUnexpectedEOF)), "outcome unknown: end of the text: the server closed the connection"},
		{at(smtp.Dot, context.Canceled), "end of the text: context canceled"},
		{at(smtp.VerbDATA, busy), "DATA: 450 busy"},
		{at(smtp.VerbEHLO, &smtpclient.UnexpectedReplyError{Verb: smtp.VerbEHLO, Want: []smtp.Code{250, 502}, Got: busy}), `EHLO got the reply "450 busy", which is none of 250 502`},
		{smtp.ErrNeedsSMTPUTF8, "address needs SMTPUTF8"},
	} {
		if got := plain(c.err); got != c.want {
			t.Errorf("%v is told as\n%s, want\n%s", c.err, got, c.want)
		}
	}
}
