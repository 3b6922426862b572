package smtpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// house is a host: each connection meets the next of its servers.
type house struct {
	mu      sync.Mutex
	servers []*fake // the last one meets all further connections
	met     []*fake
	ends    []net.Conn // the servers' ends
	delay   time.Duration
}

func (h *house) dial(context.Context, string, string) (net.Conn, error) {
	time.Sleep(h.delay)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.servers) == 0 {
		return nil, errors.New("connection refused")
	}
	like := h.servers[min(len(h.met), len(h.servers)-1)]
	s := &fake{offers: like.offers, replies: like.replies}
	a, b := transcript.Pipe(64 << 10)
	h.met, h.ends = append(h.met, s), append(h.ends, b)
	go s.serve(b)
	return a, nil
}

func (h *house) pool() *smtpclient.Pool {
	d := plain(nil)
	d.NetDial = h.dial
	return &smtpclient.Pool{Dialer: d, Address: "mx.test:25"}
}

// heard returns what each server heard.
func (h *house) heard() string {
	var all []string
	for _, s := range h.met {
		all = append(all, words(s.lines))
	}
	return strings.Join(all, " | ")
}

func inBubble(t *testing.T, h *house, f func(t *testing.T, p *smtpclient.Pool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := h.pool()
		f(t, p)
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := p.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello))); err != smtpclient.ErrPoolClosed {
			t.Errorf("Send after Close: %v", err)
		}
	})
}

func mustSend(t *testing.T, p *smtpclient.Pool, want string) {
	t.Helper()
	res, err := p.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
	if got := fates(res); got != want {
		t.Errorf("fates %q, want %q; error %v", got, want, err)
	}
}

const session = "EHLO MAIL RCPT DATA QUIT"

// TestPoolReuses: messages follow each other over one connection, up to a
// number, and idle ones end.
func TestPoolReuses(t *testing.T) {
	h := &house{servers: []*fake{{}}}
	inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
		p.MaxMessages = 2
		for range 3 {
			mustSend(t, p, "accepted 250 .")
		}
		time.Sleep(31 * time.Second) // of the bubble: the idle one ends
		mustSend(t, p, "accepted 250 .")
	})
	if got := h.heard(); got != "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT | "+session+" | "+session {
		t.Errorf("heard %s", got)
	}
}

// TestPoolStale: an idle connection that is gone, or says 421, costs nothing;
// the same at any later stage is the caller's to decide.
func TestPoolStale(t *testing.T) {
	second := func(key, reply string) *fake { // says reply to the second message
		return &fake{replies: map[string]string{strings.Replace(key, "a@", "x@", 1): reply}}
	}
	for _, c := range []struct {
		name   string
		server *fake
		want   string
		conns  int
	}{
		{"closed", second("MAIL FROM:<x@a.test>", ""), "accepted 250 .", 2},
		{"421", second("MAIL FROM:<x@a.test>", "421 idle\r\n"), "accepted 250 .", 2},
		{"452", second("MAIL FROM:<x@a.test>", "452 full\r\n"), "temporary 452 MAIL", 1},
		{"closed at RCPT", second("RCPT TO:<a@b.test>", ""), "temporary RCPT", 1},
		{"closed at the end", &fake{replies: map[string]string{".": ""}}, "unknown .", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &house{servers: []*fake{c.server, {}}}
			inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
				if c.name != "closed at the end" {
					mustSend(t, p, "accepted 250 .")
				}
				env := envelope(t, "x@b.test")
				env.From = path(t, "x@a.test")
				res, _ := p.Send(t.Context(), env, smtpclient.Bytes([]byte(hello)))
				if got := fates(res); got != c.want {
					t.Errorf("fates %q, want %q", got, c.want)
				}
			})
			if len(h.met) != c.conns {
				t.Errorf("%d connections, want %d", len(h.met), c.conns)
			}
		})
	}
}

// TestPoolClosedWhileIdle: the server closes the connection while it is idle.
func TestPoolClosedWhileIdle(t *testing.T) {
	h := &house{servers: []*fake{{}}}
	inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
		mustSend(t, p, "accepted 250 .")
		_ = h.ends[0].Close()
		mustSend(t, p, "accepted 250 .")
	})
	if len(h.met) != 2 {
		t.Errorf("%d connections", len(h.met))
	}
}

// TestPoolLimits: there are never more connections than allowed, every message
// is sent, and a server's MAILMAX is kept to.
func TestPoolLimits(t *testing.T) {
	h := &house{servers: []*fake{{offers: []string{"LIMITS MAILMAX=5", "PIPELINING"}}}}
	inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
		p.MaxConns = 3
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() { mustSend(t, p, "accepted 250 .") })
		}
		all.Wait()
	})
	texts := 0
	for _, s := range h.met {
		if len(s.text) > 5 {
			t.Errorf("%d messages over one connection", len(s.text))
		}
		texts += len(s.text)
	}
	if texts != 40 || len(h.met) < 8 {
		t.Errorf("%d messages over %d connections", texts, len(h.met))
	}
}

// TestPoolParts: a connection that is full, and one more than may be idle, gets
// its QUIT at once.
func TestPoolParts(t *testing.T) {
	for _, c := range []struct {
		offers string
		idle   int
		left   int // connections without QUIT
	}{{"LIMITS MAILMAX=1", 3, 0}, {"PIPELINING", 1, 1}, {"PIPELINING", 0, 3}} {
		h := &house{servers: []*fake{{offers: []string{c.offers}}}, delay: time.Second}
		inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
			p.MaxConns, p.MaxIdle = 3, c.idle
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { mustSend(t, p, "accepted 250 .") })
			}
			all.Wait()
			synctest.Wait()
			left := len(h.met)
			for _, s := range h.met {
				left -= strings.Count(words(s.lines), "QUIT")
			}
			if len(h.met) != 3 || left != c.left {
				t.Errorf("%s, %d idle: %d connections, %d of them left, want %d", c.offers, c.idle, len(h.met), left, c.left)
			}
		})
	}
}

// TestPoolWaits: a Send that waits for its turn ends with its context; and so
// does Close, which breaks off what hangs.
func TestPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := plain(nil)
		d.NetDial = func(context.Context, string, string) (net.Conn, error) {
			a, b := transcript.Pipe(64 << 10)
			go silent(b, &fake{}, "250 2.0.0 queued")
			return a, nil
		}
		p := &smtpclient.Pool{Dialer: d, Address: "mx.test:25", MaxConns: 1}
		hangs := make(chan string)
		go func() {
			res, err := p.Send(t.Context(), envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
			hangs <- fates(res) + fmt.Sprint(err != nil)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		res, err := p.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
		if !errors.Is(err, context.DeadlineExceeded) || fates(res) != "temporary" {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun, closed := time.Now(), make(chan error)
		go func() { closed <- p.Close(ctx) }()
		if got := <-hangs; got != "unknown .true" {
			t.Errorf("what hung: %s", got)
		}
		if err := <-closed; !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(begun))
		}
	})
}

// TestPoolCannotDial: without a connection each recipient is deferred.
func TestPoolCannotDial(t *testing.T) {
	inBubble(t, &house{}, func(t *testing.T, p *smtpclient.Pool) {
		res, err := p.Send(t.Context(), envelope(t, "a@b.test", "b@b.test"), smtpclient.Bytes([]byte(hello)))
		if err == nil || fates(res) != "temporary | temporary" || !errors.Is(res.Recipients[1].Err, err) {
			t.Errorf("fates %q, error %v", fates(res), err)
		}
	})
}

// TestPoolSingleFlight: over a connection that may be gone, a message does not
// go in a single flight, since its fate would be unknown.
func TestPoolSingleFlight(t *testing.T) {
	h := &house{servers: []*fake{{offers: append(slices.Clone(everything), "CHUNKING")}}}
	inBubble(t, h, func(t *testing.T, p *smtpclient.Pool) {
		p.Dialer.SingleFlight = true
		mustSend(t, p, "accepted 250 BDAT")
		mustSend(t, p, "accepted 250 .")
		_ = h.ends[0].Close()
		mustSend(t, p, "accepted 250 BDAT")
	})
}
