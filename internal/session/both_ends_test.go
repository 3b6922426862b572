package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/session"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// ends are a server and a client of it, in one registry.
type ends struct {
	t      *testing.T
	r      *session.Registry
	server *smtpserver.Server
	answer error // to each text
	conn   uint64
}

func newEnds(t *testing.T) *ends {
	e := &ends{t: t, r: session.New(session.Options{})}
	e.server = &smtpserver.Server{
		Hostname: "mx.sina.example", NextID: e.r.NextID, Trace: e.r.Inbound("mx"),
		Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
			e.conn = m.Conn.ID()
			_, err := io.Copy(io.Discard, m.Body)
			return nil, errors.Join(err, e.answer)
		}),
	}
	return e
}

// dial makes a client's connection.
func (e *ends) dial() *smtpclient.Conn {
	e.t.Helper()
	ours, theirs := transcript.Pipe(4096)
	go func() { _ = e.server.ServeConn(theirs) }()
	d := &smtpclient.Dialer{
		LocalName: "client.example", TLS: smtpclient.TLSNever, Trace: e.r.Outbound,
		NetDial: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
	}
	c, err := d.Dial(e.t.Context(), "tcp", "mx.sina.example:25")
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

func (e *ends) send(c *smtpclient.Conn) error {
	from, _ := smtp.ParseMailbox("ann@client.example")
	to, _ := smtp.ParseMailbox("bob@sina.example")
	res, err := c.Send(e.t.Context(), smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: to}}}, smtpclient.Bytes([]byte("Subject: hello\r\n\r\nIt rains.\r\n")))
	if err != nil {
		return err
	}
	return res.Recipients[0].Err
}

// told prints lines as a test reads them.
func told(lines []session.Line) string {
	var b strings.Builder
	for _, l := range lines {
		if l.Octets > 0 {
			fmt.Fprintf(&b, "%s: (%d octets)\n", l.From, l.Octets)
		} else {
			fmt.Fprintf(&b, "%s: %s\n", l.From, l.Text)
		}
	}
	return b.String()
}

// TestBothEnds: the two ends of a conversation tell the same, while it lives and
// after it.
func TestBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.server.Withhold = smtp.SetOf(smtp.ExtChunking, smtp.ExtPipelining)
		c := e.dial()
		if err := e.send(c); err != nil {
			t.Fatal(err)
		}
		e.r.Brought(e.conn, mail.ID{1})
		synctest.Wait()
		live := e.r.List()
		if len(live) != 2 {
			t.Fatalf("%d sessions live", len(live))
		}
		for _, v := range live {
			if v.State != session.Idle || v.Messages != 1 || v.Last != "250 2.0.0 Message accepted" || v.LastFrom != session.Server {
				t.Errorf("session %+v", v)
			}
			if v.Direction == session.In && (v.Name != "mx" || v.Hello != "client.example") || v.Direction == session.Out && v.Name != "mx.sina.example" {
				t.Errorf("session %+v", v)
			}
		}
		_, client, _ := e.r.Find(live[0].ID)
		_, server, _ := e.r.Find(live[1].ID)
		if a, b := told(client), told(server); a != b || !strings.HasSuffix(a, "C: (32 octets)\nS: 250 2.0.0 Message accepted\n") {
			t.Errorf("one end tells\n%s\nthe other\n%s", a, b)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(e.r.List()) != 0 || len(e.r.Ended()) != 0 {
			t.Errorf("after QUIT %d live, %d have failed", len(e.r.List()), len(e.r.Ended()))
		}
		v, lines, ok := e.r.Of(mail.ID{1})
		if !ok || v.Direction != session.In || v.State != session.Ended || !strings.HasSuffix(told(lines), "C: QUIT\nS: 221 2.0.0 mx.sina.example closing connection\n") {
			t.Errorf("the session of the message is %+v\n%s", v, told(lines))
		}
		if a, b := live[0], live[1]; a.BytesIn != b.BytesOut || a.BytesOut != b.BytesIn || a.LinesIn != b.LinesOut || a.LinesOut != b.LinesIn {
			t.Errorf("they count differently: %+v and %+v", a, b)
		}
	})
}

// TestFailedAreKept: a refusal is kept on both ends, and says why.
func TestFailedAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		e.answer = smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 7, 1}, "We do not want that")
		c := e.dial()
		if err := e.send(c); err == nil {
			t.Fatal("the message was taken")
		}
		_ = c.Quit(t.Context())
		synctest.Wait()
		failed := e.r.Ended()
		if len(failed) != 2 {
			t.Fatalf("%d are kept", len(failed))
		}
		for _, v := range failed {
			if v.Failure != "554 5.7.1 We do not want that" {
				t.Errorf("it failed by %q", v.Failure)
			}
		}
	})
}

// TestFollow: who follows hears all that was said before, then what is said, and then
// that it is over.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t)
		c := e.dial()
		f, ok := e.r.Follow(e.r.List()[0].ID)
		if !ok {
			t.Fatal("nobody can be followed")
		}
		defer f.Close()
		lines, err := f.Next(t.Context())
		if err != nil || !strings.HasPrefix(told(lines), "S: 220 mx.sina.example ESMTP ready\nC: EHLO client.example\n") {
			t.Fatalf("%v\n%s", err, told(lines))
		}
		time.AfterFunc(time.Second, func() { _, _ = c.Cmd(context.Background(), smtp.Noop{}) })
		for got := ""; !strings.HasSuffix(got, "S: 250 2.0.0 OK\n"); got += told(lines) {
			if lines, err = f.Next(t.Context()); err != nil {
				t.Fatalf("%v, after %q", err, got)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if lines, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %q", err, told(lines))
		}
		synctest.Wait() // the connection has one user at a time
		_ = c.Quit(t.Context())
		for err = nil; err == nil; lines, err = f.Next(t.Context()) {
			_ = lines
		}
		if err != io.EOF {
			t.Error(err)
		}
	})
}

// TestCut: an operator ends a session, from either end, and that is what is told of it.
func TestCut(t *testing.T) {
	for n := range 2 {
		synctest.Test(t, func(t *testing.T) {
			e := newEnds(t)
			c := e.dial()
			synctest.Wait()
			victim := e.r.List()[n]
			if !e.r.Cut(victim.ID) {
				t.Fatal("it does not live")
			}
			synctest.Wait()
			if _, err := c.Cmd(t.Context(), smtp.Noop{}); err == nil {
				t.Error("the connection lives on")
			}
			_ = c.Close()
			synctest.Wait()
			v, lines, ok := e.r.Find(victim.ID)
			if !ok || v.Failure != "cut by an operator" || v.State != session.Ended || !strings.HasSuffix(told(lines), "-: cut by an operator\n") {
				t.Errorf("%+v\n%s", v, told(lines))
			}
			if e.r.Cut(victim.ID) || e.r.Cut(12345) {
				t.Error("what is over can be cut")
			}
		})
	}
}
