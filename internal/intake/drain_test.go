package intake_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/smtp"
)

// TestADrainingDeskTakesNoMail: programs of this host are told 421, a report about
// mail that was taken before is written, and afterwards all is as it was.
func TestADrainingDeskTakesNoMail(t *testing.T) {
	s := memspool.New(memspool.Options{})
	d := intake.New(intake.Options{Hostname: "mx.sohu.example", Spool: s})
	submit := func() error {
		_, err := d.Submit(t.Context(), intake.Submission{
			Source: mail.Source{Listener: intake.FromSendmail}, From: address("ann@sohu.example"),
			To: []smtp.Rcpt{{To: address("bob@sina.example")}}, Text: strings.NewReader("Subject: x\r\n\r\n"),
		})
		return err
	}
	d.Drain(true)
	var reply *smtp.Reply
	if err := submit(); !errors.As(err, &reply) || reply.Code != smtp.CodeUnavailable {
		t.Errorf("while it drains: %v", err)
	}
	draft, _, err := d.Prepare(t.Context(), &dsn.Report{
		To: address("ann@sohu.example"), MTA: "mx.sohu.example", From: address("mailer-daemon@mx.sohu.example"),
		Recipients: []dsn.Recipient{{Final: smtp.ORcpt{Type: "rfc822", Addr: "bob@sina.example"}, Action: mail.ReportFailed, Status: smtp.EnhancedCode{5, 1, 1}}},
	}, nil)
	if err != nil {
		t.Errorf("a report: %v", err)
	} else {
		draft.Abort()
	}
	d.Drain(false)
	if err := submit(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
