package smtpserver_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestShutdown: whatever a session is at, it is told 421 as soon as nothing can
// be lost by it, and what was accepted stays accepted.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    func(*caller)        // what it is at when Shutdown comes
		after func(*caller) string // what goes on then, up to the 421
		taken int
	}{
		{"idle", func(*caller) {}, func(c *caller) string { return c.hear(421) }, 0},
		{"in a transaction", (*caller).begin, func(c *caller) string { return c.hear(421) }, 0},
		{"in the middle of a line", func(c *caller) { c.send("NOO") }, func(c *caller) string { return c.hear(421) }, 0},
		{"in DATA", func(c *caller) {
			c.begin()
			c.ask("DATA", 354)
			c.say("Subject: x")
		}, func(c *caller) string {
			time.Sleep(time.Minute)
			c.say("", "the rest", ".")
			return c.hear(250, 421)
		}, 1},
		{"in DATA, pipelined", func(c *caller) {
			c.begin()
			c.ask("DATA", 354)
		}, func(c *caller) string {
			c.say(".", "MAIL FROM:<bob@sohu.com>")
			return c.hear(250, 421)
		}, 1},
		{"in a chunk", func(c *caller) {
			c.begin()
			c.send("BDAT 4 LAST\r\nab")
		}, func(c *caller) string {
			c.send("\r\n")
			return c.hear(250, 421)
		}, 1},
		{"between chunks", func(c *caller) {
			c.begin()
			c.send("BDAT 4\r\nab\r\n")
			c.hear(250)
		}, func(c *caller) string { return c.hear(421) }, 0},
		{"in a chunk that is not the last", func(c *caller) {
			c.begin()
			c.send("BDAT 4\r\nab")
		}, func(c *caller) string {
			c.send("\r\n")
			return c.hear(250, 421)
		}, 0},
		{"in AUTH", func(c *caller) {
			c.ask("EHLO sohu.com", 250)
			c.ask("AUTH X-ROUNDS", 334)
		}, func(c *caller) string { return c.hear(421) }, 0},
		{"before the TLS handshake", func(c *caller) {
			c.ask("EHLO sohu.com", 250)
			c.ask("STARTTLS", 220)
		}, func(c *caller) string {
			c.secure("smtp")
			return c.hear(421)
		}, 0},
		{"in TLS", func(c *caller) {
			c.ask("EHLO sohu.com", 250)
			c.startTLS()
			c.begin()
		}, func(c *caller) string { return c.hear(421) }, 0},
		{"in DATA in TLS", func(c *caller) {
			c.ask("EHLO sohu.com", 250)
			c.startTLS()
			c.begin()
			c.ask("DATA", 354)
		}, func(c *caller) string {
			c.say(".")
			return c.hear(250, 421)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, &smtpserver.Server{TLS: withCertificate()}, func(w *world) {
				caller := w.call()
				c.at(caller)
				synctest.Wait()
				done, began := make(chan error), time.Now()
				go func() { done <- w.server.Shutdown(context.Background()) }()
				synctest.Wait()
				if text := c.after(caller); !strings.HasSuffix(text, "Service is shutting down") {
					t.Errorf("421 says %q", text)
				}
				caller.ended()
				if err := <-done; err != nil || time.Since(began) > time.Minute {
					t.Errorf("Shutdown returned %v after %v", err, time.Since(began))
				}
				if got := len(w.house.taken()); got != c.taken {
					t.Errorf("%d messages were accepted, want %d", got, c.taken)
				}
			})
		})
	}
}

// TestShutdownAsACommandArrives: what is read when Shutdown comes is still
// carried out; if it is DATA, the message has all the time that it may take.
func TestShutdownAsACommandArrives(t *testing.T) {
	// Equal limits: the deadline of the wait for DATA would do for its text.
	limits := smtpserver.Limits{Idle: 3 * time.Minute, DataIdle: 3 * time.Minute}
	inWorld(t, &smtpserver.Server{Limits: limits}, func(w *world) {
		ours, theirs := transcript.Pipe(64 << 10)
		w.street.doors <- &interruptedRead{theirs, w.server}
		c := newCaller(t, ours)
		c.hear(220)
		c.begin()
		c.ask("DATA", 354)
		time.Sleep(time.Minute)
		c.say(".")
		c.hear(250, 421)
		c.ended()
	})
}

// interruptedRead is a connection whose server is shut down while DATA is read.
type interruptedRead struct {
	net.Conn
	server *smtpserver.Server
}

func (c *interruptedRead) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if string(p[:n]) == "DATA\r\n" {
		go func() { _ = c.server.Shutdown(context.Background()) }()
		time.Sleep(time.Millisecond)
	}
	return n, err
}

// TestShutdownGivesUp: when its context ends, Shutdown returns, the sessions go
// on, and Close cuts them off; nothing is accepted by half.
func TestShutdownGivesUp(t *testing.T) {
	for _, secure := range []bool{false, true} {
		inWorld(t, &smtpserver.Server{TLS: withCertificate()}, func(w *world) {
			c := w.call()
			if secure {
				c.ask("EHLO sohu.com", 250)
				c.startTLS()
			}
			c.begin()
			c.ask("DATA", 354)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := w.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown returned %v", err)
			}
			c.say("still there")
			began := time.Now()
			if err := w.server.Close(); err != nil {
				t.Error(err)
			}
			if time.Since(began) > 0 {
				t.Errorf("Close took %v", time.Since(began))
			}
			c.ended()
			if n := len(w.house.taken()); n != 0 {
				t.Errorf("%d messages were accepted", n)
			}
		})
	}
}

// TestServeAfterTheEnd: a server that was shut down serves no more, and it does
// not matter how often or when it is told.
func TestServeAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &smtpserver.Server{Handler: &house{}}
		for range 2 {
			if err := errors.Join(s.Shutdown(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		}
		l := newStreet()
		if err := s.Serve(l); !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("Serve left the listener open")
		}
	})
}

// TestServeNeedsAHandler and what else it cannot do without.
func TestServeNeedsAHandler(t *testing.T) {
	if err := new(smtpserver.Server).Serve(newStreet()); err == nil {
		t.Error("no Handler, no error")
	}
	if err := (&smtpserver.Server{Handler: &house{}, ImplicitTLS: true}).Serve(newStreet()); err == nil {
		t.Error("no certificate, no error")
	}
}

// TestListenersEndTheirServe: several listeners, of which one breaks.
func TestListenersEndTheirServe(t *testing.T) {
	inWorld(t, &smtpserver.Server{}, func(w *world) {
		second := newStreet()
		served := make(chan error)
		go func() { served <- w.server.Serve(second) }()
		synctest.Wait()
		_ = second.Close()
		if err := <-served; err == nil || errors.Is(err, smtpserver.ErrServerClosed) {
			t.Errorf("Serve of a broken listener returned %v", err)
		}
		w.call().ask("NOOP", 250)
	})
}

// listeners is a listener of a type that cannot be compared, such as other people's.
type listeners []net.Listener

func (l listeners) Accept() (net.Conn, error) { return l[0].Accept() }
func (l listeners) Close() error              { return l[0].Close() }
func (l listeners) Addr() net.Addr            { return l[0].Addr() }

// TestAnyListenerIsServed: one that cannot be compared too, and it is closed with the rest.
func TestAnyListenerIsServed(t *testing.T) {
	inWorld(t, &smtpserver.Server{}, func(w *world) {
		served := make(chan error)
		go func() { served <- w.server.Serve(listeners{newStreet()}) }()
		synctest.Wait()
		if err := w.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
}
