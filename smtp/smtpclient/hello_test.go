package smtpclient_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// refusesToSay checks that nothing but a good EHLO reaches the server.
func refusesToSay(t *testing.T, d *smtpclient.Dialer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(64 << 10)
		s := &fake{offers: []string{"XCLIENT ADDR", "AUTH PLAIN"}}
		done := make(chan struct{})
		go func() { s.serve(b); close(done) }()
		if c, err := d.NewConn(t.Context(), a, "mx.test"); err == nil {
			t.Error("connected")
			_ = c.Close()
		}
		<-done
		for _, line := range s.lines {
			if line != "EHLO c.test" {
				t.Errorf("the server heard %q", line)
			}
		}
	})
}

// TestGreetings: how a connection begins, or why it does not.
func TestGreetings(t *testing.T) {
	for _, c := range []struct {
		name   string
		dialer smtpclient.Dialer
		server fake
		heard  string
		stage  smtp.Verb // of the error; VerbUnknown: none
		code   smtp.Code // of the reply in it
	}{
		{name: "EHLO", heard: "EHLO client.test"},
		{name: "HELO", server: fake{replies: map[string]string{"EHLO": "502 what\r\n"}}, heard: "EHLO client.test|HELO client.test"},
		{name: "HELO at once", dialer: smtpclient.Dialer{PlainHELO: true}, heard: "HELO client.test"},
		{name: "LHLO", dialer: smtpclient.Dialer{LMTP: true}, heard: "LHLO client.test"},
		{name: "LHLO refused", dialer: smtpclient.Dialer{LMTP: true}, server: fake{replies: map[string]string{"LHLO": "500 what\r\n"}}, heard: "LHLO client.test", stage: smtp.VerbLHLO, code: 500},
		{name: "no service", server: fake{replies: map[string]string{"CONNECT": "554 no\r\n"}}, stage: smtp.Greeting, code: 554},
		{name: "no mail", server: fake{replies: map[string]string{"CONNECT": "521 no\r\n"}}, stage: smtp.Greeting, code: 521},
		{name: "busy", server: fake{replies: map[string]string{"CONNECT": "421 busy\r\n"}}, stage: smtp.Greeting, code: 421},
		{name: "wrong greeting", server: fake{replies: map[string]string{"CONNECT": "250 hi\r\n"}}, stage: smtp.Greeting, code: 250},
		{name: "another protocol", server: fake{replies: map[string]string{"CONNECT": "SSH-2.0-x\r\n"}}, stage: smtp.Greeting},
		{name: "EHLO deferred", server: fake{replies: map[string]string{"EHLO": "451 later\r\n"}}, heard: "EHLO client.test", stage: smtp.VerbEHLO, code: 451},
		{name: "EHLO refused for good", server: fake{replies: map[string]string{"EHLO": "554 no\r\n"}}, heard: "EHLO client.test", stage: smtp.VerbEHLO, code: 554},
		{name: "both refused", server: fake{replies: map[string]string{"EHLO": "550 no\r\n", "HELO": "550 no\r\n"}}, heard: "EHLO client.test|HELO client.test", stage: smtp.VerbHELO, code: 550},
		{name: "gone", server: fake{replies: map[string]string{"EHLO": ""}}, heard: "EHLO client.test", stage: smtp.VerbEHLO},
		{
			name: "XCLIENT", dialer: smtpclient.Dialer{XClient: []smtp.XClientAttr{{Name: "ADDR", Value: "192.0.2.1"}}},
			server: fake{offers: []string{"XCLIENT ADDR NAME"}, replies: map[string]string{"XCLIENT": "220 again\r\n"}},
			heard:  "EHLO client.test|XCLIENT ADDR=192.0.2.1|EHLO client.test",
		},
		{
			name: "XCLIENT not offered", dialer: smtpclient.Dialer{XClient: []smtp.XClientAttr{{Name: "ADDR", Value: "192.0.2.1"}}},
			heard: "EHLO client.test", stage: smtp.VerbXCLIENT,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := transcript.Pipe(64 << 10)
				done := make(chan struct{})
				go func() { c.server.serve(b); close(done) }()
				conn, err := plain(&c.dialer).NewConn(t.Context(), a, "mx.test")
				if err == nil {
					_ = conn.Close()
				}
				<-done
				var at *smtpclient.ConnectionError
				if (err != nil) != (c.stage != 0) || err != nil && (!errors.As(err, &at) || at.Stage != c.stage) {
					t.Errorf("error %v, want one at %q", err, c.stage)
				}
				var r *smtp.Reply
				if errors.As(err, &r) != (c.code != 0) || r != nil && r.Code != c.code {
					t.Errorf("error %v, want the reply %v", err, c.code)
				}
				if got := strings.Join(c.server.lines, "|"); got != c.heard {
					t.Errorf("the server heard %q, want %q", got, c.heard)
				}
			})
		})
	}
}

// silent is a server that stops talking at a point.
func silent(conn net.Conn, s *fake, at string) {
	s.serve(&muted{Conn: conn, at: at})
}

type muted struct {
	net.Conn
	at    string
	quiet bool
}

func (m *muted) Write(p []byte) (int, error) {
	if m.quiet = m.quiet || strings.HasPrefix(string(p), m.at); m.quiet {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// TestTimeouts: a server that stops talking is waited for as long as RFC 5321,
// 4.5.3.2, says for the stage, or as long as the caller says.
func TestTimeouts(t *testing.T) {
	replies := map[string]string{
		"CONNECT": "220 1\r\n", "EHLO": "250 2\r\n", "MAIL": "250 3\r\n", "RCPT": "250 4\r\n", "DATA": "354 5\r\n", ".": "250 6\r\n",
	}
	own := smtpclient.Timeouts{Greeting: 1e9, Hello: 2e9, Mail: 3e9, Rcpt: 4e9, DataStart: 5e9, DataEnd: 6e9}
	for _, c := range []struct {
		stage       smtp.Verb
		reply       string
		usual, mine time.Duration
		fate        string
	}{
		{smtp.Greeting, "220 1", 5 * time.Minute, time.Second, ""},
		{smtp.VerbEHLO, "250 2", 5 * time.Minute, 2 * time.Second, ""},
		{smtp.VerbMAIL, "250 3", 5 * time.Minute, 3 * time.Second, "temporary MAIL"},
		{smtp.VerbRCPT, "250 4", 5 * time.Minute, 4 * time.Second, "temporary RCPT"},
		{smtp.VerbDATA, "354 5", 2 * time.Minute, 5 * time.Second, "temporary DATA"},
		{smtp.Dot, "250 6", 10 * time.Minute, 6 * time.Second, "unknown ."},
	} {
		for _, limits := range []smtpclient.Timeouts{{}, own} {
			synctest.Test(t, func(t *testing.T) {
				a, b := transcript.Pipe(64 << 10)
				go silent(b, &fake{replies: replies}, c.reply)
				begun, want := time.Now(), c.usual
				if limits != (smtpclient.Timeouts{}) {
					want = c.mine
				}
				conn, err := plain(&smtpclient.Dialer{Timeouts: limits}).NewConn(t.Context(), a, "mx.test")
				if err == nil {
					var res *smtpclient.Result
					res, err = conn.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
					if fates(res) != c.fate {
						t.Errorf("%v: fates %q, want %q", c.stage, fates(res), c.fate)
					}
				}
				var at *smtpclient.ConnectionError
				if !errors.As(err, &at) || at.Stage != c.stage || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%v: error %v", c.stage, err)
				}
				if took := time.Since(begun); took != want {
					t.Errorf("%v: waited %v, want %v", c.stage, took, want)
				}
				_ = b.Close()
			})
		}
	}
}

// TestWriteTimeout: a server that stops reading is given up after three
// minutes for a piece of text.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(1 << 10)
		script, err := transcript.Parse("deaf", "S: 220 x\nC: EHLO client.test\nS: 250 x\nC: MAIL FROM:<s@a.test>\nS: 250 x\nC: RCPT TO:<a@b.test>\nS: 250 x\nC: DATA\nS: 354 x")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = script.Serve(stayOpen{b}, nil) }()
		conn, err := plain(nil).NewConn(t.Context(), a, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		res, err := conn.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(strings.Repeat("line\r\n", 1000))))
		if fates(res) != "temporary ." || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
		if took := time.Since(begun); took != 3*time.Minute+2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// slow reads little at a time.
type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Conn.Read(p[:min(len(p), 4<<10)])
}

// TestSlowServer: the three minutes are for a piece, not for the whole text.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(4 << 10)
		done := make(chan struct{})
		go func() { (&fake{}).serve(slow{b}); close(done) }()
		conn, err := plain(nil).NewConn(t.Context(), a, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		text := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 30000)
		res, err := conn.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(text)))
		if err != nil || !res.Accepted() || time.Since(begun) < 5*time.Minute {
			t.Errorf("fates %q after %v, error %v", fates(res), time.Since(begun), err)
		}
		_ = conn.Close()
		<-done
	})
}

type stayOpen struct{ net.Conn }

func (stayOpen) Close() error { return nil }

// TestContext: when the context ends, so does the call, with the context's
// reason, at any stage; a context that ended before leaves nothing said.
func TestContext(t *testing.T) {
	why := errors.New("enough")
	for _, at := range []string{"220 mx", "250 mx", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0"} {
		synctest.Test(t, func(t *testing.T) {
			a, b := transcript.Pipe(64 << 10)
			go silent(b, &fake{}, at)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(why) })
			begun := time.Now()
			conn, err := plain(nil).NewConn(ctx, a, "mx.test")
			if err == nil {
				_, err = conn.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
			}
			if !errors.Is(err, why) || time.Since(begun) != time.Second {
				t.Errorf("%s: error %v after %v", at, err, time.Since(begun))
			}
			_ = b.Close()
		})
	}
}

// TestContextEndedBefore: nothing is said.
func TestContextEndedBefore(t *testing.T) {
	s := &fake{}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		res, err := c.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
		if !errors.Is(err, context.Canceled) || fates(res) != "temporary MAIL" || len(s.lines) != 1 {
			t.Errorf("fates %q, error %v, heard %q", fates(res), err, s.lines)
		}
	})
}

// TestWhyTheServerWent: a server that refuses a text before its end and closes
// the connection is believed.
func TestWhyTheServerWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(1 << 10)
		script, err := transcript.Parse("rude", "S: 220 x\nC: EHLO client.test\nS: 250 x\nC: MAIL FROM:<s@a.test>\nS: 250 x\nC: RCPT TO:<a@b.test>\nS: 250 x\nC: DATA\nS: 354 x\nC: line\nS: 552 5.3.4 too large")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = script.Serve(b, nil) }()
		conn, err := plain(nil).NewConn(t.Context(), a, "mx.test")
		if err != nil {
			t.Fatal(err)
		}
		res, err := conn.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(strings.Repeat("line\r\n", 100000))))
		if fates(res) != "permanent 552 ." || err == nil {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
	})
}
