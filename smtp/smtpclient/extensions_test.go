package smtpclient_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

const eightBit = "Subject: hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Content-Transfer-Encoding: 8bit\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n"

// TestExtensions: what is said to a server depends on what it offers, and what
// it does not offer is left out, converted or refused.
func TestExtensions(t *testing.T) {
	all := "SIZE 1000000,8BITMIME,SMTPUTF8,DSN,DELIVERBY,MT-PRIORITY,AUTH PLAIN,PRDR,FUTURERELEASE 86400 2100-01-01T00:00:00Z"
	utf8Header := strings.Replace(eightBit, "hello", "gr\xc3\xbc\xc3\x9fe", 1)
	rich := smtp.MailParams{
		Return: smtp.ReturnHeaders, EnvID: "id+1", Priority: 3, Auth: "<>",
		By: smtp.DeliverBy{Within: time.Hour, Mode: smtp.ByNotify},
	}
	for _, c := range []struct {
		name    string
		offers  string
		from    string
		to      string
		mail    smtp.MailParams
		text    string
		refuse8 bool
		want    string // fate
		is      error
		lines   string // MAIL and RCPT; parted by |
		dropped smtp.ExtensionSet
		encoded bool
	}{
		{name: "bare server", want: "accepted 250 .", lines: "MAIL FROM:<s@a.test>|RCPT TO:<r@b.test>"},
		{name: "SIZE", offers: "SIZE 100", want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> SIZE=29|RCPT TO:<r@b.test>"},
		{name: "too large", offers: "SIZE 28", want: "permanent 552 local MAIL"},
		{name: "SIZE without limit", offers: "SIZE 0", want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> SIZE=29|RCPT TO:<r@b.test>"},
		{name: "8-bit", offers: "8BITMIME", text: eightBit, want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> BODY=8BITMIME|RCPT TO:<r@b.test>"},
		{name: "8-bit encoded", text: eightBit, want: "accepted 250 .", encoded: true, lines: "MAIL FROM:<s@a.test>|RCPT TO:<r@b.test>"},
		{name: "8-bit encoded, of told size", offers: "SIZE 1000", mail: smtp.MailParams{Size: 5}, text: eightBit, want: "accepted 250 .", encoded: true, lines: "MAIL FROM:<s@a.test> SIZE=140|RCPT TO:<r@b.test>"},
		{name: "binary encoded", offers: "8BITMIME", mail: smtp.MailParams{Body: smtp.BodyBinary}, text: strings.Replace(eightBit, "8bit", "binary", 1), want: "accepted 250 .", encoded: true, lines: "MAIL FROM:<s@a.test>|RCPT TO:<r@b.test>"},
		{name: "8-bit refused", text: eightBit, refuse8: true, want: "permanent 554 local MAIL", is: smtpclient.ErrNeeds8BitMIME},
		{name: "told 7-bit", offers: "8BITMIME", mail: smtp.MailParams{Body: smtp.Body7Bit}, want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> BODY=7BIT|RCPT TO:<r@b.test>"},
		{name: "binary refused", offers: "8BITMIME,CHUNKING", mail: smtp.MailParams{Body: smtp.BodyBinary}, refuse8: true, want: "permanent 554 local MAIL", is: smtpclient.ErrNeedsBinaryMIME},
		{name: "binary", offers: "8BITMIME,CHUNKING,BINARYMIME", mail: smtp.MailParams{Body: smtp.BodyBinary}, want: "accepted 250 BDAT", lines: "MAIL FROM:<s@a.test> BODY=BINARYMIME|RCPT TO:<r@b.test>"},
		{name: "UTF-8 header", offers: "8BITMIME,SMTPUTF8", text: utf8Header, want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> BODY=8BITMIME SMTPUTF8|RCPT TO:<r@b.test>"},
		{name: "UTF-8 header refused", offers: "8BITMIME", text: utf8Header, want: "permanent 554 local MAIL", is: smtp.ErrNeedsSMTPUTF8},
		{name: "UTF-8 told and refused", offers: "8BITMIME", mail: smtp.MailParams{UTF8: true}, want: "permanent 554 local MAIL", is: smtp.ErrNeedsSMTPUTF8},
		{name: "UTF-8 recipient", offers: "8BITMIME,SMTPUTF8", to: "ü@b.test", want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> SMTPUTF8|RCPT TO:<ü@b.test>"},
		{name: "UTF-8 recipient refused", to: "ü@b.test", want: "permanent 553 local RCPT", is: smtp.ErrNeedsSMTPUTF8},
		{name: "UTF-8 sender refused", from: "ü@b.test", want: "permanent 550 local MAIL", is: smtp.ErrNeedsSMTPUTF8},
		{name: "UTF-8 domains", from: "s@ü.test", to: "r@ß.test", want: "accepted 250 .", lines: "MAIL FROM:<s@xn--tda.test>|RCPT TO:<r@xn--zca.test>"},
		{name: "UTF-8 domains, offered", offers: "8BITMIME,SMTPUTF8", from: "s@ü.test", to: "r@ß.test", want: "accepted 250 .", lines: "MAIL FROM:<s@xn--tda.test>|RCPT TO:<r@xn--zca.test>"},
		{
			name: "all offered", offers: all, mail: rich, want: "accepted 250 .",
			lines: "MAIL FROM:<s@a.test> SIZE=29 AUTH=<> RET=HDRS ENVID=id+2B1 BY=3600;N MT-PRIORITY=3|RCPT TO:<r@b.test> NOTIFY=NEVER",
		},
		{
			name: "none offered", mail: rich, want: "accepted 250 .", lines: "MAIL FROM:<s@a.test>|RCPT TO:<r@b.test>",
			dropped: smtp.SetOf(smtp.ExtDSN, smtp.ExtDeliverBy, smtp.ExtMTPriority, smtp.ExtAuth),
		},
		{name: "BY=R", mail: smtp.MailParams{By: smtp.DeliverBy{Within: time.Hour, Mode: smtp.ByReturn}}, want: "permanent 554 local MAIL"},
		{name: "HOLDFOR", offers: all, mail: smtp.MailParams{HoldFor: time.Hour}, want: "accepted 250 .", lines: "MAIL FROM:<s@a.test> SIZE=29 HOLDFOR=3600|RCPT TO:<r@b.test> NOTIFY=NEVER"},
		{name: "HOLDFOR too long", offers: all, mail: smtp.MailParams{HoldFor: 48 * time.Hour}, want: "permanent 501 local MAIL"},
		{name: "HOLDUNTIL not offered", mail: smtp.MailParams{HoldUntil: time.Now()}, want: "permanent 555 local MAIL"},
		{name: "REQUIRETLS without TLS", offers: "REQUIRETLS", mail: smtp.MailParams{RequireTLS: true}, want: "permanent 550 local MAIL"},
		{name: "bad parameter", offers: all, mail: smtp.MailParams{Return: "X\r\nRSET"}, want: "permanent 501 local MAIL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake{}
			if c.offers != "" {
				s.offers = strings.Split(c.offers, ",")
			}
			env := envelope(t, orString(c.to, "r@b.test"))
			env.From = path(t, orString(c.from, "s@a.test"))
			env.Mail = c.mail
			if c.name != "none offered" && c.offers == all || c.dropped != 0 {
				env.To[0].Params.Notify = smtp.NotifyNever
			}
			connect(t, &smtpclient.Dialer{Refuse8Bit: c.refuse8}, s, func(ctx context.Context, conn *smtpclient.Conn) {
				res, err := conn.Send(ctx, env, smtpclient.Bytes([]byte(orString(c.text, hello))))
				if err != nil || fates(res) != c.want || c.is != nil && !errors.Is(res.Recipients[0].Err, c.is) {
					t.Errorf("fates %q, want %q; outcome %v, error %v", fates(res), c.want, res.Recipients[0].Err, err)
				}
				if res.Dropped != c.dropped || res.Encoded != c.encoded {
					t.Errorf("dropped %b, want %b; encoded %v", res.Dropped, c.dropped, res.Encoded)
				}
			})
			said := s.lines[1:]
			if got := strings.Join(said[:min(2, len(said))], "|"); got != c.lines {
				t.Errorf("said %q, want %q", got, c.lines)
			}
			for _, text := range s.text {
				if strings.Contains(c.lines, "SIZE=140") && len(text) != 140 {
					t.Errorf("SIZE=140, and %d octets", len(text))
				}
				if c.encoded && strings.ContainsAny(text, "\xc3\xbc") {
					t.Errorf("not encoded: %q", text)
				}
			}
		})
	}
}

func orString(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// TestLimits: recipients beyond those that a server takes are deferred, and a
// connection is full after so many messages (RFC 9422).
func TestLimits(t *testing.T) {
	s := &fake{offers: []string{"LIMITS RCPTMAX=3 RCPTDOMAINMAX=2 MAILMAX=2", "PIPELINING"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		res, err := c.Send(ctx, envelope(t, "a@1.test", "b@2.test", "c@3.test", "d@1.TEST", "e@1.test"), smtpclient.Bytes([]byte(hello)))
		want := "accepted 250 . | accepted 250 . | temporary 452 local RCPT | accepted 250 . | temporary 452 local RCPT"
		if err != nil || fates(res) != want {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
		if _, err = c.Send(ctx, envelope(t, "a@1.test"), smtpclient.Bytes([]byte(hello))); err != nil || !c.Full() {
			t.Errorf("error %v, full %v", err, c.Full())
		}
		res, err = c.Send(ctx, envelope(t, "a@1.test"), smtpclient.Bytes([]byte(hello)))
		if err != smtpclient.ErrFull || fates(res) != "temporary" {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
		if err := c.Quit(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestManyRecipients: ten thousand recipients do not fill the buffers of both
// sides, however small those are.
func TestManyRecipients(t *testing.T) {
	var to []string
	for range 10000 {
		to = append(to, "recipient@b.test")
	}
	s := &fake{offers: everything}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		res, err := c.Send(ctx, envelope(t, to...), smtpclient.Bytes([]byte(hello)))
		if err != nil || !res.Accepted() || len(s.text) != 1 {
			t.Errorf("error %v", err)
		}
	})
}

// TestInjection puts CR, LF and '>' into every string that a caller can set.
// The server hears no line that it should not, and no path has been opened.
func TestInjection(t *testing.T) {
	const bad = "x>\r\nRSET\r\nRCPT TO:<evil@b.test>"
	for _, s := range []string{bad, "x>", "a@b.test\r\nRSET", "<a@b.test> NOTIFY=NEVER"} {
		if p, err := smtp.ParseMailbox(s); err == nil {
			t.Errorf("%q is a path: %v", s, p)
		}
	}
	params := []smtp.MailParams{
		{Auth: bad}, {Return: bad}, {EnvID: bad}, {Body: smtp.Body(bad)}, {By: smtp.DeliverBy{Mode: '\r'}},
	}
	rcpts := []smtp.RcptParams{{ORcpt: smtp.ORcpt{Type: bad, Addr: "x"}}, {ORcpt: smtp.ORcpt{Type: "rfc822", Addr: bad}}}
	commands := []smtp.Command{
		smtp.Vrfy{User: bad},
		smtp.Expn{List: bad},
		smtp.Help{Topic: bad},
		smtp.Noop{Text: bad},
		smtp.Etrn{Node: bad},
		smtp.Unknown{Name: bad},
		smtp.Unknown{Name: "XFOO", Args: bad},
	}
	s := &fake{offers: []string{"DSN", "AUTH PLAIN", "8BITMIME", "DELIVERBY"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		for _, p := range params {
			env := envelope(t, "a@b.test")
			env.Mail = p
			if _, err := c.Send(ctx, env, smtpclient.Bytes([]byte(hello))); err != nil {
				t.Errorf("%+v: %v", p, err)
			}
		}
		for _, p := range rcpts {
			env := envelope(t, "a@b.test")
			env.To[0].Params = p
			if _, err := c.Send(ctx, env, smtpclient.Bytes([]byte(hello))); err != nil {
				t.Errorf("%+v: %v", p, err)
			}
		}
		for _, cmd := range commands {
			if r, err := c.Cmd(ctx, cmd); err == nil {
				t.Errorf("%#v: sent, %v", cmd, r)
			}
		}
	})
	for _, line := range s.lines {
		word, _, _ := strings.Cut(line, " ")
		if !strings.Contains("EHLO MAIL RCPT DATA RSET", word) || strings.HasPrefix(line, "RCPT TO:<evil") {
			t.Errorf("the server heard %q", line)
		}
		if word == "RSET" && line != "RSET" {
			t.Errorf("the server heard %q", line)
		}
	}
	// "RSET" is ours, too, after an envelope that came to nothing; the recipients
	// tell whether it was.
	if n := strings.Count(strings.Join(s.lines, "\n"), "RSET"); n > len(params)+len(rcpts) {
		t.Errorf("RSET was heard %d times", n)
	}
	for _, d := range []*smtpclient.Dialer{
		{LocalName: bad, TLS: smtpclient.TLSNever},
		{LocalName: "c.test", TLS: smtpclient.TLSNever, XClient: []smtp.XClientAttr{{Name: bad, Value: "x"}}},
		{LocalName: "c.test", TLS: smtpclient.TLSNever, Auth: &smtpclient.Auth{Mechanism: bad}},
	} {
		refusesToSay(t, d)
	}
}
