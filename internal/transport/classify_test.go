package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func reply(code smtp.Code, text string) *smtp.Reply { return &smtp.Reply{Code: code, Text: text} }

// TestClassify: the one place where a reply becomes a fate.
func TestClassify(t *testing.T) {
	cut := &smtpclient.ConnectionError{Stage: smtp.VerbDATA, Err: io.ErrUnexpectedEOF}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	at := func(stage smtp.Verb, r *smtp.Reply) smtpclient.Outcome {
		o := smtpclient.Outcome{Stage: stage, Reply: r}
		if r != nil && !r.Code.Positive() {
			o.Err = r
		}
		return o
	}
	for _, c := range []struct {
		ctx  context.Context
		in   smtpclient.Outcome
		want string
	}{
		{t.Context(), at(smtp.Dot, reply(250, "ok")), "0 relayed 250 ok, at ."},
		{t.Context(), at(smtp.VerbRCPT, reply(450, "busy")), "0 deferred 450 busy, at RCPT"},
		{t.Context(), at(smtp.VerbRCPT, reply(550, "no")), "0 failed 550 no, at RCPT"},
		{t.Context(), at(smtp.VerbMAIL, reply(530, "log in")), "0 deferred 530 log in, at MAIL"},
		{t.Context(), at(smtp.VerbMAIL, reply(421, "bye")), "0 deferred 421 bye, at MAIL, host down"},
		{t.Context(), at(smtp.Dot, reply(421, "bye")), "0 deferred 421 bye, at ."},
		{t.Context(), smtpclient.Outcome{Stage: smtp.VerbDATA, Err: cut}, "0 deferred 451 4.4.2 DATA: unexpected EOF, at DATA, local"},
		{t.Context(), smtpclient.Outcome{Stage: smtp.VerbMAIL, Err: cut}, "0 deferred 451 4.4.2 DATA: unexpected EOF, at MAIL, local, host down"},
		{t.Context(), smtpclient.Outcome{Stage: smtp.Dot, Err: fmt.Errorf("%w: cut", smtpclient.ErrUnknownOutcome)}, "0 deferred 451 4.4.2 The message may have been accepted, but no reply came: cut, at ., local, unsure"},
		{ended, smtpclient.Outcome{Stage: smtp.VerbDATA, Err: cut}, "0 deferred 451 4.3.2 The delivery was interrupted here, local, our limit"},
		{ended, smtpclient.Outcome{Stage: smtp.Dot, Err: smtpclient.ErrUnknownOutcome}, "0 deferred 451 4.4.2 The message may have been accepted, but no reply came: outcome unknown, at ., local, unsure"},
		{ended, at(smtp.VerbRCPT, reply(550, "no")), "0 failed 550 no, at RCPT"},
	} {
		got := transport.Classify(c.ctx, &c.in, mail.Relayed)
		if s := transporttest.TellOne(&got); s != c.want {
			t.Errorf("got  %s\nwant %s", s, c.want)
		}
	}
}

func TestUnreached(t *testing.T) {
	at := func(stage smtp.Verb, err error) error { return &smtpclient.ConnectionError{Stage: stage, Err: err} }
	for _, c := range []struct {
		err  error
		want string
	}{
		{at(smtp.VerbUnknown, errors.New("refused")), "0 deferred 451 4.4.1 refused, local, host down"},
		{at(smtp.Greeting, reply(554, "no")), "0 failed 554 no, at CONNECT"},
		{at(smtp.Greeting, reply(450, "no")), "0 deferred 450 no, at CONNECT, host down"},
		{at(smtp.VerbEHLO, reply(550, "no")), "0 failed 550 no, at EHLO"},
		{at(smtp.VerbSTARTTLS, reply(502, "no")), "0 deferred 502 no, at STARTTLS, host down"},
		{at(smtp.VerbAUTH, reply(535, "no")), "0 deferred 535 no, at AUTH, host down"},
		{at(smtp.VerbEHLO, reply(250, "what")), "0 deferred 451 4.4.2 EHLO: 250 what, at EHLO, local, host down"},
		{errors.New("a\r\nb"), "0 deferred 451 4.4.1 a  b, local, host down"},
	} {
		got := transport.Unreached(t.Context(), c.err)
		if s := transporttest.TellOne(&got); s != c.want {
			t.Errorf("got  %s\nwant %s", s, c.want)
		}
	}
}

func TestClip(t *testing.T) {
	short := reply(550, "x")
	if transport.Clip(short) != short || transport.Clip(nil) != nil {
		t.Error("a short reply is another")
	}
	long := transport.Clip(reply(550, strings.Repeat("é", 900)))
	if len(long.Text) > 1010 || !strings.HasSuffix(long.Text, "é...") {
		t.Errorf("%d octets, ends in %q", len(long.Text), long.Text[len(long.Text)-8:])
	}
}

// TestSheet: what is decided stays, and what is not is deferred.
func TestSheet(t *testing.T) {
	d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test", "b@b.test", "c@b.test"), "", mail.Hop{})
	d.Recipients = []int{2, 0}
	s := transport.NewSheet(&d)
	s.Decide(0, mail.Outcome{Recipient: 7, Fate: mail.Relayed, Reply: reply(250, "ok")})
	s.Decide(0, mail.Outcome{Fate: mail.Failed, Reply: reply(550, "no")})
	s.Decide(1, mail.Outcome{})
	if open := s.Open(); len(open) != 1 || open[0] != 1 {
		t.Errorf("open: %v", open)
	}
	outcomes := s.Outcomes()
	transporttest.Check(t, d, outcomes)
	if got := transporttest.Tell(outcomes); got != "2 relayed 250 ok\n0 deferred 451 4.3.0 The recipient was not tried, local\n" {
		t.Error(got)
	}
}

func TestPrepend(t *testing.T) {
	e := transporttest.Envelope(t, "a@b.test", "jörg@b.test")
	x := &transporttest.Text{Octets: transporttest.Hello}
	c := transport.Prepend(transport.FinalFields(e, 1), x)
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if want := "Return-Path: <s@a.test>\r\nDelivered-To: jörg@b.test\r\n" + transporttest.Hello; string(text) != want || err != nil || c.Size() != int64(len(want)) {
		t.Errorf("%q, %v, size %d", text, err, c.Size())
	}
	if err := r.Close(); err != nil || x.LeftOpen() != 0 {
		t.Errorf("%v, %d left open", err, x.LeftOpen())
	}
	if _, err := transport.Prepend("", &transporttest.Text{OpenErr: transporttest.ErrDisk}).Open(); !errors.Is(err, transporttest.ErrDisk) {
		t.Error(err)
	}
	e.From = smtp.Path{}
	if got := transport.FinalFields(e, 0); got != "Return-Path: <>\r\nDelivered-To: a@b.test\r\n" {
		t.Errorf("%q", got)
	}
}
