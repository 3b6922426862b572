package smtpserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// clumsy is a Handler of functions, for those that do not do as they should.
type clumsy struct {
	session func(*smtpserver.Conn) error
	mail    func(context.Context, *smtpserver.Conn) error
	data    func(io.Reader) (*smtp.Reply, error)
	each    func(io.Reader) ([]*smtp.Reply, error)
	abort   func()
	auth    func() ([]byte, bool, error)
	conn    *smtpserver.Conn
}

func (h *clumsy) NewSession(_ context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	s := *h
	s.conn = c
	if h.session != nil {
		return &s, h.session(c)
	}
	return &s, nil
}

func (h *clumsy) Mail(ctx context.Context, _ smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	if h.mail != nil {
		if err := h.mail(ctx, h.conn); err != nil {
			return nil, err
		}
	}
	if h.each != nil {
		return h, nil
	}
	return struct{ smtpserver.Transaction }{h}, nil
}

func (h *clumsy) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

func (h *clumsy) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) { return h.data(body) }

func (h *clumsy) DataEach(_ context.Context, body io.Reader) ([]*smtp.Reply, error) {
	return h.each(body)
}

func (h *clumsy) Abort() {
	if h.abort != nil {
		h.abort()
	}
}
func (h *clumsy) Close()               {}
func (h *clumsy) Mechanisms() []string { return []string{"ODD"} }
func (h *clumsy) Authenticate(context.Context, string) (smtpserver.SASL, error) {
	return h, nil
}
func (h *clumsy) Next([]byte) ([]byte, bool, error) { return h.auth() }

// TestClumsyHandlers: what a Handler does wrong hurts nobody but its own
// client, who is told so.
func TestClumsyHandlers(t *testing.T) {
	const text = "Subject: x\r\n\r\nQUIT\r\n"
	bad := errors.New("bad")
	for _, c := range []struct {
		name   string
		h      clumsy
		lmtp   bool
		text   string
		replys []int // to the text by DATA, and again by BDAT; then NOOP is 250
	}{
		{name: "does not read", h: clumsy{data: func(io.Reader) (*smtp.Reply, error) { return nil, nil }}, replys: []int{250}},
		{name: "reads a little", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			_, err := io.ReadFull(r, make([]byte, 5))
			return nil, err
		}}, replys: []int{250}},
		{name: "reads a little and refuses", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			_, _ = io.ReadFull(r, make([]byte, 5))
			return nil, bad
		}}, replys: []int{451}},
		{name: "writes to what is full", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			n, err := r.(io.WriterTo).WriteTo(full{})
			if n != 3 || !errors.Is(err, io.ErrShortBuffer) {
				return nil, fmt.Errorf("WriteTo returned %d, %w", n, err)
			}
			return nil, smtp.Replyf(452, smtp.EnhancedCode{4, 3, 1}, "Disk full")
		}}, replys: []int{452}},
		{name: "takes no notice of faults", text: "a\nb\r\n", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			_, _ = io.Copy(io.Discard, r)
			return nil, nil
		}}, replys: []int{554}},
		{name: "takes no notice of size", text: strings.Repeat("x", 200) + "\r\n", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			_, _ = io.Copy(io.Discard, r)
			return nil, nil
		}}, replys: []int{552}},
		{name: "returns a yes as an error", h: clumsy{data: func(io.Reader) (*smtp.Reply, error) {
			return nil, &smtp.Reply{Code: 250}
		}}, replys: []int{451}},
		{name: "returns a nil reply as an error", h: clumsy{data: func(io.Reader) (*smtp.Reply, error) {
			var r *smtp.Reply
			return nil, r
		}}, replys: []int{451}},
		{name: "goes on reading after the end", h: clumsy{data: func(r io.Reader) (*smtp.Reply, error) {
			_, _ = io.ReadAll(r)
			if n, err := r.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				return nil, bad
			}
			return nil, nil
		}}, replys: []int{250}},
		{name: "too few replies", lmtp: true, h: clumsy{each: func(io.Reader) ([]*smtp.Reply, error) { return nil, nil }}, replys: []int{451, 451}},
		{name: "too many replies", lmtp: true, h: clumsy{each: func(io.Reader) ([]*smtp.Reply, error) { return make([]*smtp.Reply, 3), nil }}, replys: []int{451, 451}},
		{name: "one reply for each", lmtp: true, h: clumsy{each: func(io.Reader) ([]*smtp.Reply, error) { return make([]*smtp.Reply, 2), nil }}, replys: []int{250, 250}},
		{name: "refuses as a whole", lmtp: true, h: clumsy{each: func(io.Reader) ([]*smtp.Reply, error) { return nil, bad }}, replys: []int{451, 451}},
		{name: "one reply for all", lmtp: true, h: clumsy{data: func(io.Reader) (*smtp.Reply, error) { return &smtp.Reply{Code: 550}, nil }}, replys: []int{550, 550}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &smtpserver.Server{Handler: &c.h, LMTP: c.lmtp, Limits: smtpserver.Limits{MessageSize: 100}}
			inWorld(t, s, func(w *world) {
				client := w.call()
				hello := "EHLO sohu.com"
				if c.lmtp {
					hello = "LHLO sohu.com"
				}
				client.ask(hello, 250)
				said := text
				if c.text != "" {
					said = c.text
				}
				for _, how := range []string{"DATA\r\n" + said + ".\r\n", fmt.Sprintf("BDAT %d LAST\r\n%s", len(said), said)} {
					client.say("MAIL FROM:<bob@sohu.com>", "RCPT TO:<alice@sina.com>")
					client.hear(250, 250)
					if c.lmtp {
						client.ask("RCPT TO:<carol@sina.com>", 250)
					}
					client.send(how)
					if strings.HasPrefix(how, "DATA") {
						client.hear(354)
					}
					client.hear(c.replys...)
					client.ask("NOOP", 250)
				}
			})
		})
	}
}

// full takes three octets and no more.
type full struct{}

func (full) Write([]byte) (int, error) { return 3, io.ErrShortBuffer }

// TestNobodyIsLetInByMistake: a SASL exchange that ends in an error is no
// success, whatever the error is.
func TestNobodyIsLetInByMistake(t *testing.T) {
	for _, err := range []error{errors.New("no"), &smtp.Reply{Code: 235}, (*smtp.Reply)(nil), &smtp.Reply{Code: 334}} {
		h := &clumsy{auth: func() ([]byte, bool, error) { return nil, true, err }}
		inWorld(t, &smtpserver.Server{Handler: h, RequireAuth: true}, func(w *world) {
			c := w.call()
			c.ask("EHLO sohu.com", 250)
			c.ask("AUTH ODD", 535)
			c.ask("MAIL FROM:<bob@sohu.com>", 530)
		})
	}
}

// TestPanics: wherever a Handler panics, its client is told 421 and others go on.
func TestPanics(t *testing.T) {
	boom := func() { panic("boom") }
	for name, c := range map[string]struct {
		h    clumsy
		said string
	}{
		"NewSession": {clumsy{session: func(*smtpserver.Conn) error { boom(); return nil }}, ""},
		"Abort":      {clumsy{abort: boom}, "EHLO a\r\nMAIL FROM:<>\r\nRSET\r\n"},
		"BDAT":       {clumsy{data: func(r io.Reader) (*smtp.Reply, error) { _, _ = r.Read(make([]byte, 9)); boom(); return nil, nil }}, "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nBDAT 1\r\nx"},
		"AUTH":       {clumsy{auth: func() ([]byte, bool, error) { boom(); return nil, true, nil }}, "EHLO a\r\nAUTH ODD\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, &smtpserver.Server{Handler: &c.h}, func(w *world) {
				conn := w.dial(stranger)
				_, _ = io.WriteString(conn, c.said)
				all, err := io.ReadAll(conn)
				if n := strings.Count(string(all), "421 "); n != 1 || err != nil {
					t.Errorf("told %q %v", all, err)
				}
				_ = conn.Close()
				if name != "NewSession" {
					w.call().ask("NOOP", 250)
				}
			})
		})
	}
}

// TestConn: what a Session learns of its connection.
func TestConn(t *testing.T) {
	var facts []string
	var ctx context.Context
	h := &clumsy{
		auth: func() ([]byte, bool, error) { return nil, true, nil },
		mail: func(c context.Context, conn *smtpserver.Conn) error {
			ctx = c
			facts = append(facts, fmt.Sprintln(conn, conn.ID(), conn.LocalAddr(), conn.Hello(), conn.Mechanism(), conn.EarlyTalker(), conn.XClient(), conn.TLS() != nil))
			return nil
		},
	}
	s := &smtpserver.Server{Handler: h, TLS: withCertificate(), GreetDelay: 1, EarlyTalkers: true}
	s.XClientFrom = append(s.XClientFrom, addrPrefix(t, stranger))
	inWorld(t, s, func(w *world) {
		c := newCaller(t, w.dial(stranger))
		c.say("EHLO sohu.com", "MAIL FROM:<>", "RSET", "XCLIENT NAME=mx.sohu.com")
		c.hear(220, 250, 250, 250, 220)
		c.say("EHLO sohu.com", "AUTH ODD", "MAIL FROM:<>", "QUIT")
		c.hear(250, 235, 250, 221)
		c.ended()
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("the context does not end with the connection")
		}
		c = newCaller(t, w.dial(stranger))
		c.hear(220)
		c.ask("EHLO sohu.com", 250)
		c.startTLS()
		c.say("EHLO sohu.com", "MAIL FROM:<>")
		c.hear(250, 250)
	})
	for i, want := range []string{
		"session 1 from " + stranger + " 1 pipe sohu.com  true [] false",
		"session 1 from " + stranger + " 1 pipe sohu.com ODD true [{NAME mx.sohu.com}] false",
		"session 2 from " + stranger + " 2 pipe sohu.com  false [] true",
	} {
		if got := facts[i]; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestListenAndServe over a socket.
func TestListenAndServe(t *testing.T) {
	l, err := smtpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	s := &smtpserver.Server{Handler: &house{}}
	if err := s.ListenAndServe(t.Context(), addr); !errors.Is(err, errInUse(err)) {
		t.Errorf("an address in use: %v", err)
	}
	_ = l.Close()
	served := make(chan error, 1)
	go func() { served <- s.ListenAndServe(t.Context(), addr) }()
	var conn net.Conn
	for conn == nil {
		conn, _ = net.Dial("tcp", addr)
	}
	c := newCaller(t, conn)
	host, _ := os.Hostname()
	if text := c.hear(220); !strings.HasPrefix(text, host+" ") && !strings.HasPrefix(text, "localhost ") {
		t.Errorf("greeting %q", text)
	}
	c.ask("QUIT", 221)
	c.ended()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
}

// errInUse returns the error that says so, if err is one of the system.
func errInUse(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	return errors.New("no error of the network")
}
