package smtpclient_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// cut is a connection that ends after so many octets were written to it.
type cut struct {
	net.Conn
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	c.left -= n
	if n < len(p) && err == nil {
		_ = c.Conn.Close()
		err = io.ErrClosedPipe
	}
	return n, err
}

// count counts what is written.
type count struct {
	net.Conn
	n int
}

func (c *count) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n += n
	return n, err
}

// cutDialogues are ways to send a message to a@b.test, which is refused if the
// server refuses any, and b@b.test.
var cutDialogues = []struct {
	name   string
	dialer smtpclient.Dialer
	server fake
}{
	{"lockstep", smtpclient.Dialer{}, fake{}},
	{"pipelined", smtpclient.Dialer{}, fake{offers: everything}},
	{"single flight", smtpclient.Dialer{SingleFlight: true}, fake{offers: append(everything, "CHUNKING")}},
	{"one refused", smtpclient.Dialer{}, fake{offers: everything, replies: map[string]string{"RCPT TO:<a@b.test>": "550 no\r\n"}}},
	{"LMTP", smtpclient.Dialer{LMTP: true}, fake{offers: everything, replies: map[string]string{".": "550 no\r\n250 yes\r\n"}}},
	{"PRDR", smtpclient.Dialer{}, fake{offers: append(everything, "PRDR"), replies: map[string]string{".": "353 each\r\n550 no\r\n250 yes\r\n250 all\r\n"}}},
}

// sendAndQuit is the client of a cut dialogue.
func sendAndQuit(t *testing.T, d smtpclient.Dialer, nc net.Conn) *smtpclient.Result {
	c, err := plain(&d).NewConn(t.Context(), nc, "mx.test")
	if err != nil {
		return nil
	}
	env := envelope(t, "a@b.test", "b@b.test")
	env.Mail.PRDR = true
	res, err := c.Send(t.Context(), env, smtpclient.Bytes([]byte(hello)))
	if err == nil {
		_ = c.Quit(t.Context())
	}
	return res
}

// TestCutAnywhere cuts each dialogue behind every octet of the server and every
// octet of the client. b is accepted if and only if the server's 250 came
// whole; it is unknown if and only if the server had the whole text then.
func TestCutAnywhere(t *testing.T) {
	for _, c := range cutDialogues {
		t.Run(c.name, func(t *testing.T) {
			fromServer, fromClient := measure(t, c.dialer, c.server)
			for at := range fromServer {
				run(t, c.dialer, c.server, at, 1<<20)
			}
			for at := range fromClient {
				run(t, c.dialer, c.server, 1<<20, at)
			}
		})
	}
}

// measure counts the octets of both sides.
func measure(t *testing.T, d smtpclient.Dialer, server fake) (fromServer, fromClient int) {
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(64 << 10)
		client, server2 := &count{Conn: a}, &count{Conn: b}
		done := make(chan struct{})
		go func() { server.serve(server2); close(done) }()
		res := sendAndQuit(t, d, client)
		<-done
		if res == nil || res.Recipients[1].Err != nil {
			t.Fatal("the whole dialogue does not work")
		}
		fromServer, fromClient = server2.n, client.n
	})
	return fromServer, fromClient
}

// run plays a dialogue with a cut, and checks what became of b.
func run(t *testing.T, d smtpclient.Dialer, server fake, serverCut, clientCut int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := transcript.Pipe(64 << 10)
		said := &said{Conn: &cut{b, serverCut}}
		done := make(chan struct{})
		go func() { server.serve(said); close(done) }()
		res := sendAndQuit(t, d, &cut{a, clientCut})
		_ = a.Close()
		<-done
		where := fmt.Sprintf("cut behind %d of the server, %d of the client", serverCut, clientCut)
		if res == nil {
			return
		}
		took := len(server.text) > 0 // the server has the whole text
		fate := res.Recipients[1].Fate()
		replied := strings.Contains(said.text, finalReply(d, server))
		want := smtpclient.Temporary
		switch {
		case took && replied:
			want = smtpclient.Accepted
		case took:
			want = smtpclient.Unknown
		case d.SingleFlight && fate == smtpclient.Unknown:
			return // all had left here, and nobody can tell how far it came
		}
		if fate != want {
			t.Errorf("%s: b is %v, want %v: %v", where, fate, want, res.Recipients[1].Err)
		}
		if a := res.Recipients[0]; server.replies != nil && a.Fate() == smtpclient.Accepted {
			t.Errorf("%s: a, which is refused, is accepted", where)
		}
	})
}

// finalReply is what the server says last about b.
func finalReply(d smtpclient.Dialer, server fake) string {
	switch {
	case server.replies["."] != "":
		lines := strings.SplitAfter(server.replies["."], "\r\n")
		return lines[len(lines)-2]
	case d.SingleFlight:
		return usual["LAST"]
	}
	return usual["."]
}

// said keeps what was written.
type said struct {
	net.Conn
	text string
}

func (s *said) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.text += string(p[:n])
	return n, err
}
