package smtpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestEachRecipient: LMTP, and PRDR, answer for each recipient that was
// accepted (RFC 2033, 4.2; draft-hall-prdr-00, 4.5).
func TestEachRecipient(t *testing.T) {
	const refuseB = "RCPT TO:<b@b.test>"
	for _, c := range []struct {
		name  string
		lmtp  bool
		final string
		want  string
		dead  bool
	}{
		{"LMTP", true, "250 a\r\n452 c\r\n", "accepted 250 . | permanent 550 RCPT | temporary 452 .", false},
		{"LMTP, gone between", true, "250 a\r\n", "accepted 250 . | permanent 550 RCPT | unknown .", true},
		{"LMTP, 421 between", true, "250 a\r\n421 bye\r\n", "accepted 250 . | permanent 550 RCPT | temporary 421 .", true},
		{"LMTP, wrong reply", true, "250 a\r\n354 what\r\n", "accepted 250 . | permanent 550 RCPT | unknown .", true},
		{"PRDR", false, "353 each\r\n550 a\r\n250 c\r\n250 all\r\n", "permanent 550 . | permanent 550 RCPT | accepted 250 .", false},
		{"PRDR, all refused at the end", false, "353 each\r\n550 a\r\n250 c\r\n450 all\r\n", "permanent 550 . | permanent 550 RCPT | temporary 450 .", false},
		{"PRDR, one reply", false, "250 all\r\n", "accepted 250 . | permanent 550 RCPT | accepted 250 .", false},
		{"PRDR, gone before the end", false, "353 each\r\n550 a\r\n250 c\r\n", "permanent 550 . | permanent 550 RCPT | unknown .", true},
		{"PRDR, 421 at the end", false, "353 each\r\n550 a\r\n250 c\r\n421 bye\r\n", "permanent 550 . | permanent 550 RCPT | temporary 421 .", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake{offers: append(everything, "PRDR"), replies: map[string]string{refuseB: "550 no\r\n", ".": c.final}}
			if strings.Contains(c.name, "gone") {
				s.replies["QUIT"] = ""
			}
			connect(t, &smtpclient.Dialer{LMTP: c.lmtp, Timeouts: smtpclient.Timeouts{DataEnd: 1}}, s, func(ctx context.Context, conn *smtpclient.Conn) {
				env := envelope(t, "a@b.test", "b@b.test", "c@b.test")
				env.Mail.PRDR = !c.lmtp
				res, err := conn.Send(ctx, env, smtpclient.Bytes([]byte(hello)))
				if fates(res) != c.want || (err != nil) != c.dead {
					t.Errorf("fates %q, want %q; error %v", fates(res), c.want, err)
				}
			})
		})
	}
}

// TestOwnReplies: each recipient keeps its own reply, and the message that for
// all.
func TestOwnReplies(t *testing.T) {
	s := &fake{offers: append(everything, "PRDR"), replies: map[string]string{".": "353 each\r\n250 a\r\n550 b\r\n250 c\r\n250 all\r\n"}}
	connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
		env := envelope(t, "a@b.test", "b@b.test", "c@b.test")
		env.Mail.PRDR = true
		res, err := conn.Send(ctx, env, smtpclient.Bytes([]byte(hello)))
		if err != nil {
			t.Fatal(err)
		}
		got := res.Final.Text
		for _, o := range res.Recipients {
			got += " " + o.Reply.Text
		}
		if got != "all a b c" {
			t.Errorf("replies %q", got)
		}
	})
}

// TestBDAT: a binary text goes in chunks, whole and exact, and each way of
// refusing one is understood (RFC 3030, 2).
func TestBDAT(t *testing.T) {
	long := strings.Repeat("\x00\r.\n.\r\n", 100000) // three chunks
	disk := errors.New("disk on fire")
	for _, c := range []struct {
		name    string
		body    smtpclient.Body
		replies map[string]string
		want    string
		chunks  int
		dead    bool
	}{
		{"short", smtpclient.Bytes([]byte("\x00\r\n.\r\n")), nil, "accepted 250 BDAT", 1, false},
		{"empty", smtpclient.Bytes(nil), nil, "accepted 250 BDAT", 1, false},
		{"long in memory", smtpclient.Bytes([]byte(long)), nil, "accepted 250 BDAT", 1, false},
		{"long", body{text: long, size: -1}, nil, "accepted 250 BDAT", 3, false},
		{"long, just at a chunk's end", body{text: long[:512<<10], size: 512 << 10}, nil, "accepted 250 BDAT", 3, false},
		{"first chunk refused", body{text: long, size: -1}, map[string]string{"BDAT": "552 5.3.4 no\r\n"}, "permanent 552 BDAT", -1, false},
		{"first of two refused", body{text: long[:300<<10], size: -1}, map[string]string{"BDAT": "552 5.3.4 no\r\n"}, "permanent 552 BDAT", 1, false},
		{"last chunk refused", body{text: long, size: -1}, map[string]string{"LAST": "451 no\r\n"}, "temporary 451 BDAT", 3, false},
		{"gone at a chunk", body{text: long, size: -1}, map[string]string{"BDAT": ""}, "temporary BDAT", -1, true},
		{"gone at the last chunk", body{text: long, size: -1}, map[string]string{"LAST": ""}, "unknown BDAT", 3, true},
		{"wrong reply", body{text: long, size: -1}, map[string]string{"BDAT": "354 what\r\n"}, "temporary BDAT", -1, true},
		{"cannot be read", body{text: long, size: -1, fail: disk}, nil, "temporary 451 local BDAT", 2, false},
		{"cut short", body{text: long, size: -1, fail: io.ErrUnexpectedEOF}, nil, "temporary 451 local BDAT", 2, false},
		{"shorter than it says", body{text: long, size: 1 << 20}, nil, "temporary 451 local BDAT", 2, false},
		{"refused recipient", body{text: long, size: -1}, map[string]string{"RCPT": "550 no\r\n"}, "permanent 550 RCPT", 0, false},
	} {
		for _, more := range []string{"", "PIPELINING"} {
			t.Run(c.name+more, func(t *testing.T) {
				s := &fake{offers: []string{"8BITMIME", "BINARYMIME", "CHUNKING", more}, replies: c.replies}
				connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
					env := envelope(t, "a@b.test")
					env.Mail.Body = smtp.BodyBinary
					res, err := conn.Send(ctx, env, c.body)
					if fates(res) != c.want || (err != nil) != c.dead {
						t.Errorf("fates %q, want %q; error %v", fates(res), c.want, err)
					}
					if c.chunks >= 0 && len(s.text) != c.chunks {
						t.Errorf("%d chunks, want %d", len(s.text), c.chunks)
					}
					if !c.dead {
						checkNext(ctx, t, conn, s, c.want)
					}
				})
				if c.want == "accepted 250 BDAT" && strings.HasPrefix(c.name, "long") && !strings.HasPrefix(long, strings.Join(s.text[:c.chunks], "")) {
					t.Error("the text is not what was sent")
				}
			})
		}
	}
}

// checkNext checks that the connection knows where it is: a failed transaction
// is ended by RSET, and the next reply is that to the next command.
func checkNext(ctx context.Context, t *testing.T, c *smtpclient.Conn, s *fake, before string) {
	t.Helper()
	r, err := c.Cmd(ctx, smtp.Noop{})
	if err != nil || r.Code != smtp.CodeOK || r.Text != "ok" {
		t.Errorf("after %q: NOOP got %v, %v", before, r, err)
	}
	heard := len(s.lines)
	if _, err := c.Send(ctx, envelope(t, "x@b.test"), smtpclient.Bytes([]byte(hello))); err != nil {
		t.Error(err)
	}
	whole := strings.Contains(before, "accepted") && !strings.Contains(before, "permanent 550 BDAT") // LMTP has both
	if reset := s.lines[heard] == "RSET"; reset == whole {
		t.Errorf("after %q: RSET %v", before, reset)
	}
}

// TestSingleFlight: the whole message goes before the first reply, and the
// replies are understood all the same.
func TestSingleFlight(t *testing.T) {
	for _, c := range []struct {
		name    string
		lmtp    bool
		replies map[string]string
		want    string
		dead    bool
	}{
		{"all well", false, nil, "accepted 250 BDAT | accepted 250 BDAT", false},
		{"one refused", false, map[string]string{"RCPT TO:<a@b.test>": "550 no\r\n"}, "permanent 550 RCPT | accepted 250 BDAT", false},
		{"all refused", false, map[string]string{"RCPT": "550 no\r\n", "LAST": "503 no\r\n"}, "permanent 550 RCPT | permanent 550 RCPT", false},
		{"sender refused", false, map[string]string{"MAIL": "451 no\r\n", "RCPT": "503 no\r\n", "LAST": "503 no\r\n"}, "temporary 451 MAIL | temporary 451 MAIL", false},
		{"text refused", false, map[string]string{"LAST": "554 no\r\n"}, "permanent 554 BDAT | permanent 554 BDAT", false},
		{"gone at MAIL", false, map[string]string{"MAIL": ""}, "unknown MAIL | unknown MAIL", true},
		{"421 to MAIL", false, map[string]string{"MAIL": "421 bye\r\n"}, "temporary 421 MAIL | temporary 421 MAIL", true},
		{"gone at RCPT", false, map[string]string{"RCPT TO:<a@b.test>": "550 no\r\n", "RCPT TO:<b@b.test>": ""}, "permanent 550 RCPT | unknown RCPT", true},
		{"LMTP", true, map[string]string{"LAST": "550 no\r\n250 yes\r\n"}, "permanent 550 BDAT | accepted 250 BDAT", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake{offers: append(everything, "CHUNKING"), replies: c.replies}
			connect(t, &smtpclient.Dialer{SingleFlight: true, LMTP: c.lmtp}, s, func(ctx context.Context, conn *smtpclient.Conn) {
				res, err := conn.Send(ctx, envelope(t, "a@b.test", "b@b.test"), smtpclient.Bytes([]byte("Subject: x\r\n\r\nno end")))
				if fates(res) != c.want || (err != nil) != c.dead {
					t.Errorf("fates %q, want %q; error %v", fates(res), c.want, err)
				}
				if !c.dead {
					if r, err := conn.Cmd(ctx, smtp.Noop{}); err != nil || r.Text != "ok" {
						t.Errorf("NOOP: %v, %v", r, err)
					}
					checkNext(ctx, t, conn, s, c.want)
				}
			})
			if len(s.text) > 0 && s.text[0] != "Subject: x\r\n\r\nno end\r\n" {
				t.Errorf("text %q", s.text)
			}
		})
	}
}

// TestCmd: the commands that stand for themselves, and those that do not.
func TestCmd(t *testing.T) {
	s := &fake{replies: map[string]string{"VRFY": "252 perhaps\r\n", "EXPN": "250-a@b.test\r\n250 b@b.test\r\n", "ETRN": "253 2 messages\r\n", "XFOO": "299 bar\r\n", "HELP": "421 bye\r\n"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		var got []string
		for _, cmd := range []smtp.Command{smtp.Vrfy{User: "a"}, smtp.Expn{List: "l"}, smtp.Etrn{Node: "b.test"}, smtp.Unknown{Name: "XFOO", Args: "1"}, smtp.Rset{}} {
			r, err := c.Cmd(ctx, cmd)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(r.Code, " ", strings.ReplaceAll(r.Text, "\n", "+")))
		}
		if all := strings.Join(got, "|"); all != "252 perhaps|250 a@b.test+b@b.test|253 2 messages|299 bar|250 ok" {
			t.Errorf("got %q", all)
		}
		for _, cmd := range []smtp.Command{smtp.Data{}, smtp.Bdat{}, smtp.StartTLS{}, smtp.Auth{}, smtp.Hello{}, smtp.Quit{}, smtp.XClient{}} {
			if _, err := c.Cmd(ctx, cmd); err == nil || c.Err() != nil {
				t.Errorf("%T was sent", cmd)
			}
		}
		if r, err := c.Cmd(ctx, smtp.Help{}); err != nil || r.Code != 421 || c.Err() == nil {
			t.Errorf("HELP: %v, %v; then %v", r, err, c.Err())
		}
		if _, err := c.Cmd(ctx, smtp.Noop{}); err == nil {
			t.Error("NOOP after 421")
		}
	})
}
