package simnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/nettest"

	"github.com/posthouse/posthouse/internal/simnet"
)

// bubble runs f in a bubble with two hosts, of which the second listens.
func bubble(t *testing.T, o simnet.Options, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: simnet.New(o)}
		w.a = w.net.Host("a", "192.0.2.1", "2001:db8::1")
		w.b = w.net.Host("b", "192.0.2.2", "2001:db8::2")
		w.listen()
		f(t, w)
		w.l.Close()
	})
}

type world struct {
	*testing.T
	net  *simnet.Net
	a, b *simnet.Host
	l    net.Listener
}

const port = "192.0.2.2:25"

func (w *world) listen() {
	l, err := w.b.Listen(w.Context(), "tcp", ":25")
	if err != nil {
		w.Fatal(err)
	}
	w.l = l
}

func (w *world) dial(address string) (net.Conn, error) {
	return w.a.Dial(w.Context(), netip.Addr{}, "tcp", address)
}

// pair makes a connection.
func (w *world) pair() (a, b net.Conn) {
	w.Helper()
	a, err := w.dial(port)
	if err != nil {
		w.Fatal(err)
	}
	b, err = w.l.Accept()
	if err != nil {
		w.Fatal(err)
	}
	return a, b
}

func want(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// TestConn is what the Go project asks of every connection.
func TestConn(t *testing.T) {
	n := 0
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		n++
		w := &world{T: t, net: simnet.New(simnet.Options{Seed: uint64(n), Weather: simnet.Weather{Latency: time.Nanosecond}})}
		w.a, w.b = w.net.Host("a", "192.0.2.1"), w.net.Host("b", "192.0.2.2")
		w.listen()
		a, b := w.pair()
		return a, b, func() { a.Close(); b.Close(); w.l.Close() }, nil
	})
}

func TestItTakesTime(t *testing.T) {
	weather := simnet.Weather{Latency: 50 * time.Millisecond, Bandwidth: 1000}
	bubble(t, simnet.Options{Weather: weather}, func(t *testing.T, w *world) {
		start := time.Now()
		a, b := w.pair()
		if d := time.Since(start).Truncate(10 * time.Millisecond); d != 100*time.Millisecond {
			t.Errorf("connected after %v", d)
		}
		start = time.Now()
		if _, err := a.Write(make([]byte, 2000)); err != nil || time.Since(start) != 0 {
			t.Errorf("written after %v, %v", time.Since(start), err)
		}
		a.Close()
		all, err := io.ReadAll(b)
		if d := time.Since(start).Truncate(10 * time.Millisecond); err != nil || len(all) != 2000 || d != 2050*time.Millisecond {
			t.Errorf("%d octets after %v, %v", len(all), d, err)
		}
		b.Close()
	})
}

func TestAddresses(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			local, to, from string
			err             error
		}{
			{"", "192.0.2.2:25", "192.0.2.1", nil},
			{"", "[2001:db8::2]:25", "2001:db8::1", nil},
			{"192.0.2.1", "192.0.2.2:25", "192.0.2.1", nil},
			{"192.0.2.7", "192.0.2.2:25", "", syscall.EADDRNOTAVAIL},
			{"", "192.0.2.9:25", "", syscall.EHOSTUNREACH},
			{"", "192.0.2.2:26", "", syscall.ECONNREFUSED},
			{"", "127.0.0.1:25", "", syscall.ECONNREFUSED},
		} {
			var local netip.Addr
			if c.local != "" {
				local = netip.MustParseAddr(c.local)
			}
			conn, err := w.a.Dial(t.Context(), local, "tcp", c.to)
			want(t, c.to, err, c.err)
			if err != nil {
				continue
			}
			other, err := w.l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got := netip.MustParseAddrPort(other.RemoteAddr().String()).Addr().String(); got != c.from || other.RemoteAddr().String() != conn.LocalAddr().String() {
				t.Errorf("%s: from %s, want %s; %s", c.to, got, c.from, conn.LocalAddr())
			}
			conn.Close()
			other.Close()
		}
		if _, err := w.b.Listen(t.Context(), "tcp", "0.0.0.0:25"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening twice: %v", err)
		}
		if _, err := w.b.Listen(t.Context(), "tcp", "192.0.2.1:26"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("listening at another's address: %v", err)
		}
	})
}

func TestAUnixSocketIsOfItsHost(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		l, err := w.b.Listen(t.Context(), "unix", "/run/x")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := w.b.Dial(t.Context(), netip.Addr{}, "unix", "/run/x")
		want(t, "on the host", err, nil)
		conn.Close()
		_, err = w.a.Dial(t.Context(), netip.Addr{}, "unix", "/run/x")
		want(t, "on another", err, syscall.ENOENT)
	})
}

func TestTLS(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		var served sync.WaitGroup
		served.Go(func() {
			s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
			_, _ = io.Copy(s, s)
			s.Close()
		})
		c := tls.Client(a, &tls.Config{InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil { // not by two at once: a mutex of TLS is held meanwhile
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte("x"), 1<<20)
		served.Go(func() { _, _ = c.Write(text); _ = c.CloseWrite() })
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d octets, %v", len(got), err)
		}
		c.Close()
		served.Wait()
	})
}

// TestCuts: up to the octet where the connection breaks everything arrives, nothing
// of what comes after, and both ends hear of it, or neither does.
func TestCuts(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for at := range int64(10) {
			bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
				w.net.Cut(simnet.Cut{From: "a", To: "b", Nth: 1, At: at, Silent: silent})
				a, b := w.pair()
				deadline := time.Now().Add(time.Minute)
				a.SetDeadline(deadline)
				b.SetDeadline(deadline)
				if n, err := a.Write([]byte("0123456789")); n != 10 || err != nil {
					t.Errorf("written %d octets, %v", n, err)
				}
				how := error(syscall.ECONNRESET)
				if silent {
					how = os.ErrDeadlineExceeded
				}
				got, err := io.ReadAll(b)
				if string(got) != "0123456789"[:at] {
					t.Errorf("%q got through of %d", got, at)
				}
				want(t, "reader", err, how)
				_, err = a.Read(make([]byte, 1))
				want(t, "writer", err, how)
				a.Close()
				b.Close()
				c, d := w.pair() // the next one is whole
				_, err = c.Write([]byte("0123456789"))
				want(t, "the next", err, nil)
				c.Close()
				if got, _ := io.ReadAll(d); len(got) != 10 {
					t.Errorf("the next one is cut, too: %q", got)
				}
				d.Close()
			})
		}
	}
}

// TestACutBack: the request has arrived, its answer has not.
func TestACutBack(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		w.net.Cut(simnet.Cut{Back: true, At: 3})
		a, b := w.pair()
		a.Write([]byte("request"))
		buf := make([]byte, 100)
		n, err := b.Read(buf)
		want(t, string(buf[:n]), err, nil)
		b.Write([]byte("250 ok"))
		got, err := io.ReadAll(a)
		want(t, "answer", err, syscall.ECONNRESET)
		if string(got) != "250" {
			t.Errorf("%q", got)
		}
		time.Sleep(time.Second)
		_, err = b.Write([]byte("more"))
		want(t, "server", err, syscall.ECONNRESET)
		a.Close()
		b.Close()
	})
}

func TestHalfClose(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		a.Write([]byte("all"))
		a.(interface{ CloseWrite() error }).CloseWrite()
		_, err := a.Write([]byte("x"))
		want(t, "write after the end", err, syscall.EPIPE)
		got, err := io.ReadAll(b)
		want(t, "to the end", err, nil)
		b.Write(bytes.ToUpper(got))
		b.Close()
		if got, err := io.ReadAll(a); string(got) != "ALL" || err != nil {
			t.Errorf("answer %q, %v", got, err)
		}
		a.Close()
	})
}

// TestCloseWithSomethingUnread: the peer hears that not all was read.
func TestCloseWithSomethingUnread(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		a.Write([]byte("unread"))
		time.Sleep(time.Second)
		b.Close()
		_, err := io.ReadAll(a)
		want(t, "read", err, syscall.ECONNRESET)
		a.Close()
	})
}

func TestAFullWindowWaits(t *testing.T) {
	bubble(t, simnet.Options{Weather: simnet.Weather{Window: 1000}}, func(t *testing.T, w *world) {
		a, b := w.pair()
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(make([]byte, 1500))
		want(t, "without a reader", err, os.ErrDeadlineExceeded)
		if n != 1000 {
			t.Errorf("%d octets", n)
		}
		a.SetWriteDeadline(time.Time{})
		go func() { a.Write(make([]byte, 5000)); a.Close() }()
		if got, err := io.ReadAll(b); len(got) != 6000 || err != nil {
			t.Errorf("%d octets, %v", len(got), err)
		}
		b.Close()
	})
}

func TestWithoutARoad(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		a.Write([]byte("before "))
		time.Sleep(time.Second)
		w.net.Part("a", "b")
		a.Write([]byte("meanwhile"))
		a.Close()
		b.SetReadDeadline(time.Now().Add(time.Minute))
		got, err := io.ReadAll(b)
		want(t, "parted", err, os.ErrDeadlineExceeded)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err = w.a.Dial(ctx, netip.Addr{}, "tcp", port)
		want(t, "dial", err, context.DeadlineExceeded)
		cancel()
		_, err = w.dial(port)
		want(t, "dial for long", err, syscall.ETIMEDOUT)
		go func() { time.Sleep(time.Minute); w.net.Join("a", "b") }()
		c, err := w.dial(port)
		want(t, "dial until there is a road", err, nil)
		c.Close()
		b.SetReadDeadline(time.Time{})
		rest, err := io.ReadAll(b)
		if got := string(got) + string(rest); got != "before meanwhile" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		b.Close()
	})
}

// TestKill: peers of a program that was killed hear of it, and get what it had sent.
func TestKill(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		b.Write([]byte("last words"))
		w.b.Kill()
		_, err := b.Write([]byte("x"))
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("the dead one writes: %v", err)
		}
		if got, err := io.ReadAll(a); string(got) != "last words" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_, err = w.dial(port)
		want(t, "dial", err, syscall.ECONNREFUSED)
		w.listen()
		c, d := w.pair()
		c.Close()
		d.Close()
		a.Close()
	})
}

// TestCrash: peers of a host without power hear nothing, and when it has power
// again it does not know them.
func TestCrash(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		idle, _ := w.pair()
		w.b.Crash()
		_, err := b.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "power") {
			t.Errorf("the dead one reads: %v", err)
		}
		a.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = a.Read(make([]byte, 1))
		want(t, "read", err, os.ErrDeadlineExceeded)
		_, err = a.Write([]byte("x"))
		want(t, "write", err, nil)
		_, err = w.dial(port)
		want(t, "dial", err, syscall.ETIMEDOUT)
		w.listen()
		a.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = a.Read(make([]byte, 1))
		want(t, "read when it is back", err, syscall.ECONNRESET)
		idle.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = idle.Read(make([]byte, 1))
		want(t, "read of one who said nothing", err, os.ErrDeadlineExceeded)
		idle.Write([]byte("hello?"))
		idle.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = idle.Read(make([]byte, 1))
		want(t, "when he has said something", err, syscall.ECONNRESET)
		a.Close()
		idle.Close()
	})
}

func TestASilentPeerIsGivenUp(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, b := w.pair()
		w.b.Crash()
		b.Close()
		a.Write([]byte("x"))
		start := time.Now()
		_, err := a.Read(make([]byte, 1))
		want(t, "read", err, syscall.ETIMEDOUT)
		if d := time.Since(start); d != 15*time.Minute {
			t.Errorf("after %v", d)
		}
		a.Close()
	})
}

func TestAClosedListenerAnswersNobody(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		a, err := w.dial(port)
		want(t, "dial", err, nil)
		w.l.Close()
		_, err = a.Read(make([]byte, 1))
		want(t, "read", err, syscall.ECONNRESET)
		_, err = w.l.Accept()
		want(t, "accept", err, net.ErrClosed)
		a.Close()
	})
}

// TestTheSameSeedTellsTheSameStory: whoever speaks at once with others, the story of a
// seed is the same, and that of another seed another.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	stories := map[string]uint64{}
	for seed := range uint64(20) {
		first := tell(t, seed)
		if diff := cmp.Diff(first, tell(t, seed)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if other, told := stories[first]; told {
			t.Errorf("seeds %d and %d tell the same", other, seed)
		}
		stories[first] = seed
	}
}

// tell is the story of eight clients that speak with one host, some of them cut off.
func tell(t *testing.T, seed uint64) string {
	var mu sync.Mutex
	var story strings.Builder
	o := simnet.Options{Seed: seed, Weather: simnet.Weather{Cuts: 0.5, Within: 300, Silent: 0.3, Bandwidth: 10_000}}
	o.Observe = func(e simnet.Event) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&story, e.At.UnixNano(), e)
	}
	bubble(t, o, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		all.Go(func() { echo(w.l) })
		var clients sync.WaitGroup
		for i := range 8 {
			h := w.net.Host(fmt.Sprint("client", i), fmt.Sprint("198.51.100.", i))
			clients.Go(func() {
				for range 5 {
					converse(w.T, h)
				}
			})
		}
		clients.Wait()
		w.l.Close()
		all.Wait()
	})
	return story.String()
}

func echo(l net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			c.SetDeadline(time.Now().Add(time.Minute))
			_, _ = io.Copy(c, c)
			c.Close()
		})
	}
}

func converse(t *testing.T, h *simnet.Host) {
	c, err := h.Dial(t.Context(), netip.Addr{}, "tcp", port)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	for range 10 {
		if _, err := c.Write(make([]byte, 25)); err != nil {
			return
		}
		if _, err := io.ReadFull(c, make([]byte, 25)); err != nil {
			return
		}
	}
}

func TestDatagrams(t *testing.T) {
	o := simnet.Options{Weather: simnet.Weather{Loss: 0.5}}
	bubble(t, o, func(t *testing.T, w *world) {
		pc, err := w.b.ListenPacket(t.Context(), "udp", ":53")
		if err != nil {
			t.Fatal(err)
		}
		c, err := w.a.Dial(t.Context(), netip.Addr{}, "udp", "192.0.2.2:53")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			c.Write([]byte{0, 0, byte(i)}) // each has chances of its own
		}
		time.Sleep(time.Second)
		pc.SetReadDeadline(time.Now().Add(time.Second))
		n := 0
		for ; ; n++ {
			buf := make([]byte, 100)
			k, from, err := pc.ReadFrom(buf)
			if err != nil {
				want(t, "after the last", err, os.ErrDeadlineExceeded)
				break
			}
			if k != 3 || from.String() != c.LocalAddr().String() {
				t.Errorf("%d octets from %v", k, from)
			}
		}
		if n < 30 || n > 70 {
			t.Errorf("%d of 100 have arrived", n)
		}
		w.net.Between("a", "b", simnet.Weather{})
		pc.WriteTo([]byte("back"), c.LocalAddr())
		buf := make([]byte, 100)
		if k, err := c.Read(buf); string(buf[:k]) != "back" || err != nil {
			t.Errorf("%q, %v", buf[:k], err)
		}
		go func() { time.Sleep(time.Second); c.Close() }()
		_, err = c.Read(buf)
		want(t, "closed", err, net.ErrClosed)
		pc.Close()
	})
}
