package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// oneMX is the peer of oneHost.
func oneMX(p *transporttest.Peer) *network {
	return &network{peers: map[string]*transporttest.Peer{"192.0.2.1": p}}
}

// TestKept: one connection carries many messages, is ended with QUIT when it was
// idle for its time or has carried enough, and when the transport closes.
func TestKept(t *testing.T) {
	p := &transporttest.Peer{}
	quits := func() int {
		synctest.Wait()
		n := 0
		for _, l := range p.Lines() {
			if l == "QUIT" {
				n++
			}
		}
		return n
	}
	in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
		tr.MaxMessages = 3
		for i, want := range []int{1, 1, 1, 2, 2} {
			send(t, tr, to("b.test"), "x@b.test")
			if p.Conns() != want {
				t.Errorf("message %d: %d connections, want %d", i, p.Conns(), want)
			}
		}
		if n := quits(); n != 1 {
			t.Errorf("%d QUITs after a full connection", n)
		}
		time.Sleep(9 * time.Second)
		send(t, tr, to("b.test"), "x@b.test")
		if p.Conns() != 2 || quits() != 2 {
			t.Errorf("%d connections, %d QUITs", p.Conns(), quits())
		}
		send(t, tr, to("b.test"), "x@b.test")
		time.Sleep(11 * time.Second)
		if quits() != 3 {
			t.Errorf("%d QUITs after an idle connection", quits())
		}
		send(t, tr, to("b.test"), "x@b.test")
		if err := tr.Close(t.Context()); err != nil || quits() != 4 {
			t.Errorf("%d QUITs after Close, %v", quits(), err)
		}
		if got := send(t, tr, to("b.test"), "x@b.test"); !strings.HasPrefix(got, "0 relayed") || quits() != 5 {
			t.Errorf("%d QUITs, and %s", quits(), got)
		}
	})
}

// TestGone: a host that closes its side between messages, with 421 or without, is
// no failure, and nobody gets a message twice.
func TestGone(t *testing.T) {
	for name, bye := range map[string]string{"silently": transporttest.Cut, "421": "421 4.4.2 idle too long\r\n"} {
		t.Run(name, func(t *testing.T) {
			messages := map[int]int{}
			p := &transporttest.Peer{}
			p.Answer = func(conn int, line string) (string, bool) {
				if strings.HasPrefix(line, "MAIL") || line == "RSET" {
					if messages[conn]++; messages[conn] > 1 {
						return bye, true
					}
				}
				return "", false
			}
			in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
				tr.MaxRecipients = 2
				for range 3 {
					got := send(t, tr, to("b.test"), "1@b.test", "2@b.test", "3@b.test")
					if strings.Count(got, "relayed") != 3 || strings.Contains(got, "tried") {
						t.Error(got)
					}
				}
				if p.Conns() != 6 || len(p.Took()) != 9 {
					t.Errorf("%d connections, %d taken", p.Conns(), len(p.Took()))
				}
			})
		})
	}
}

// TestSplit: many recipients go in several transactions, also when the host says
// only at RCPT that there are too many, in the words of any time.
func TestSplit(t *testing.T) {
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprintf("%d@b.test", i))
	}
	for _, no := range []string{"", "452 4.5.3 too many\r\n", "452 too many\r\n", "552 too many\r\n"} {
		for _, offers := range [][]string{nil, {"PIPELINING"}} {
			n := 0
			p := &transporttest.Peer{Offers: offers}
			if no != "" {
				p.Answer = func(_ int, line string) (string, bool) {
					switch {
					case strings.HasPrefix(line, "MAIL"):
						n = 0
					case strings.HasPrefix(line, "RCPT"):
						n++
						return no, n > 30
					}
					return "", false
				}
			}
			in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
				got := send(t, tr, to("b.test"), all...)
				synctest.Wait()
				var took []string
				for _, m := range p.Took() {
					took = append(took, m.To)
				}
				if strings.Count(got, "relayed") != 250 || !slices.Equal(slices.Sorted(slices.Values(took)), slices.Sorted(slices.Values(all))) || p.Conns() != 1 {
					t.Errorf("%q: %d taken over %d connections", no, len(took), p.Conns())
				}
			})
		}
	}
	// One who takes nobody is not asked without end.
	p := &transporttest.Peer{Replies: map[string]string{"RCPT": "452 4.5.3 too many\r\n"}}
	in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
		if got := send(t, tr, to("b.test"), "1@b.test", "2@b.test"); strings.Count(got, "deferred 452 4.5.3 too many") != 2 {
			t.Error(got)
		}
	})
}

// TestMaxConns: a delivery waits for its turn, and if that does not come in time
// it was no attempt.
func TestMaxConns(t *testing.T) {
	hang := &transporttest.Peer{Replies: map[string]string{".": transporttest.Hang}}
	in(t, oneHost, oneMX(hang), func(t *testing.T, tr *remote.Transport) {
		tr.MaxConns = 2
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wait sync.WaitGroup
		var mu sync.Mutex
		limits := 0
		for range 5 {
			wait.Go(func() {
				d := transporttest.Delivery(transporttest.Envelope(t, "x@b.test"), transporttest.Hello, to("b.test"))
				o := tr.Deliver(ctx, d)
				transporttest.Check(t, d, o)
				mu.Lock()
				defer mu.Unlock()
				if o[0].OurLimit {
					limits++
				} else if !o[0].Unsure {
					t.Error(transporttest.Tell(o))
				}
			})
		}
		wait.Wait()
		if limits != 3 || hang.Conns() != 2 {
			t.Errorf("%d waited in vain, %d connections", limits, hang.Conns())
		}
	})
	p := &transporttest.Peer{}
	in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
		tr.MaxConns = 2
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if got := send(t, tr, to("b.test"), "x@b.test"); !strings.HasPrefix(got, "0 relayed") {
					t.Error(got)
				}
			})
		}
		wait.Wait()
		if p.Conns() > 2 || len(p.Took()) != 20 {
			t.Errorf("%d connections, %d taken", p.Conns(), len(p.Took()))
		}
	})
}

// TestCancelled at every stage: no attempt, but where the other side may have the
// message; and the delivery ends at once.
func TestCancelled(t *testing.T) {
	for _, stage := range []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		p := &transporttest.Peer{Replies: map[string]string{stage: transporttest.Hang}}
		in(t, oneHost, oneMX(p), func(t *testing.T, tr *remote.Transport) {
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { synctest.Wait(); cancel(errors.New("the house closes")) }()
			d := transporttest.Delivery(transporttest.Envelope(t, "x@b.test", "y@b.test"), transporttest.Hello, to("b.test"))
			began := time.Now()
			outcomes := tr.Deliver(ctx, d)
			transporttest.Check(t, d, outcomes)
			for _, o := range outcomes {
				if o.Fate != mail.Deferred || o.OurLimit == (stage == ".") || o.Unsure != (stage == ".") || time.Since(began) > time.Second {
					t.Errorf("%s: %s", stage, transporttest.TellOne(&o))
				}
			}
		})
	}
}

// TestBadHosts: a host that is down is tried last for a minute, and first again.
func TestBadHosts(t *testing.T) {
	const zone = "b.test MX 10 one.b.test\nb.test MX 20 two.b.test\none.b.test A 192.0.2.1\ntwo.b.test A 192.0.2.2"
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.2": {}}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		tr.MaxMessages = 1
		for _, step := range []struct {
			pause time.Duration
			want  string
		}{
			{0, "192.0.2.1 192.0.2.2"},
			{0, "192.0.2.2"},
			{59 * time.Second, "192.0.2.2"},
			{2 * time.Second, "192.0.2.1 192.0.2.2"},
		} {
			time.Sleep(step.pause)
			send(t, tr, to("b.test"), "x@b.test")
			if got := n.went(); got != step.want {
				t.Errorf("went to %s, want %s", got, step.want)
			}
		}
	})
}

// TestSilentAddress: of a host whose first address swallows everything the second
// is tried after a moment, and the connection that comes too late is closed.
func TestSilentAddress(t *testing.T) {
	const zone = "b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\nmx.b.test AAAA 2001:db8::1\n"
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {}}, silent: []string{"2001:db8::1"}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		began := time.Now()
		send(t, tr, to("b.test"), "x@b.test")
		if took := time.Since(began); took != 250*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// TestLateConnection: one that is made when another was faster is closed.
func TestLateConnection(t *testing.T) {
	const zone = "b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\nmx.b.test AAAA 2001:db8::1\n"
	n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {}}}
	in(t, zone, n, func(t *testing.T, tr *remote.Transport) {
		ours, theirs := transcript.Pipe(100)
		tr.Dial = func(ctx context.Context, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
			if to.Addr().Is4() {
				return n.dial(ctx, local, to)
			}
			<-ctx.Done()
			return ours, nil
		}
		if got := send(t, tr, to("b.test"), "x@b.test"); !strings.HasPrefix(got, "0 relayed") {
			t.Error(got)
		}
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the late connection: %v", err)
		}
	})
}
