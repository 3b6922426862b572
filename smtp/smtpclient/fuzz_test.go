package smtpclient_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// recital is a server that says what it says, whatever it hears.
type recital struct {
	io.Reader
	closed bool
}

func (r *recital) Write(p []byte) (int, error) {
	if r.closed {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

func (r *recital) Close() error                     { r.closed = true; return nil }
func (*recital) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (*recital) RemoteAddr() net.Addr               { return &net.TCPAddr{} }
func (*recital) SetDeadline(time.Time) error        { return nil }
func (*recital) SetReadDeadline(t time.Time) error  { return nil }
func (*recital) SetWriteDeadline(t time.Time) error { return nil }

// FuzzServer lets a server say anything. A message is accepted only by a
// positive reply, no recipient stays without an outcome, and a connection that
// is no good says so.
func FuzzServer(f *testing.F) {
	for _, ehlo := range []string{"250 x\r\n", "250-x\r\n250 PIPELINING\r\n", "250-x\r\n250-PIPELINING\r\n250-PRDR\r\n250 CHUNKING\r\n"} {
		for _, end := range []string{"250 ok\r\n", "353 each\r\n250 a\r\n550 b\r\n250 all\r\n", "421 bye\r\n", "", "garbage"} {
			f.Add([]byte("220 x\r\n"+ehlo+"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"+end), byte(0))
			f.Add([]byte("220 x\r\n"+ehlo+"250 ok\r\n250 ok\r\n250 ok\r\n"+end), byte(1))
			f.Add([]byte("220 x\r\n"+ehlo+"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"+end+end), byte(2))
		}
	}
	f.Add([]byte("220 x\r\n250-x\r\n250 AUTH SCRAM-SHA-1 PLAIN\r\n334 cj1h\r\n334 !\r\n535 no\r\n"), byte(4))
	f.Fuzz(func(t *testing.T, server []byte, how byte) {
		d := plain(&smtpclient.Dialer{SingleFlight: how&1 != 0, LMTP: how&2 != 0})
		if how&4 != 0 {
			d.Auth = &smtpclient.Auth{Username: "user", Password: "secret", AllowPlaintext: true}
		}
		c, err := d.NewConn(t.Context(), &recital{Reader: bytes.NewReader(server)}, "mx.test")
		if err != nil {
			return
		}
		env := envelope(t, "a@b.test", "b@b.test")
		env.Mail.PRDR = true
		res, err := c.Send(t.Context(), env, smtpclient.Bytes([]byte(hello)))
		for i := range res.Recipients {
			o := &res.Recipients[i]
			switch {
			case o.Err == smtpclient.ErrNotSent:
				t.Errorf("no outcome for %v", o.To)
			case o.Fate() == smtpclient.Accepted && (o.Reply == nil || o.Reply.Code/100 != 2 || o.Rcpt == nil || !o.Rcpt.Code.Positive()):
				t.Errorf("accepted by %+v", o)
			case o.Fate() == smtpclient.Accepted && !strings.Contains(string(server), o.Reply.Code.String()):
				t.Errorf("nobody said %v", o.Reply)
			case o.Fate() == smtpclient.Unknown && err == nil:
				t.Errorf("unknown, though the connection lives: %+v", o)
			}
		}
		if (err != nil) != (c.Err() != nil) {
			t.Errorf("error %v, Err %v", err, c.Err())
		}
	})
}
