package smtpserver_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// within holds a wait to a limit, and to the sixteenth that it may be late.
func within(t *testing.T, what string, began time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(began); took < limit || took > limit+limit/16+time.Second {
		t.Errorf("%s: ended after %v, the limit is %v", what, took, limit)
	}
}

// TestTimes: each limit on time ends the session when it is due and no sooner.
func TestTimes(t *testing.T) {
	t.Run("idle before EHLO", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			c, began := w.call(), time.Now()
			c.hear(421)
			c.ended()
			within(t, "idle", began, 5*time.Minute)
		})
	})
	t.Run("a line that trickles", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Idle: time.Minute}}, func(w *world) {
			c, began := w.call(), time.Now()
			go func() {
				for range 1000 {
					time.Sleep(time.Second)
					if _, err := io.WriteString(c.conn, "a"); err != nil {
						return
					}
				}
			}()
			c.hear(421)
			c.ended()
			within(t, "idle", began, time.Minute)
		})
	})
	t.Run("a busy session", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Session: time.Hour}}, func(w *world) {
			c, began := w.call(), time.Now()
			for {
				time.Sleep(time.Minute)
				_, _ = io.WriteString(c.conn, "NOOP\r\n")
				if code, _, _ := c.reply(); code == 421 {
					break
				}
			}
			c.ended()
			within(t, "session", began, time.Hour)
		})
	})
	t.Run("a text that goes on", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Session: time.Hour}}, func(w *world) {
			c, began := w.call(), time.Now()
			c.begin()
			c.ask("DATA", 354)
			go func() {
				line := strings.Repeat("a", 998) + "\r\n"
				for range 10000 {
					time.Sleep(time.Second)
					if _, err := io.WriteString(c.conn, line); err != nil {
						return
					}
				}
			}()
			c.hear(421)
			c.ended()
			within(t, "session", began, time.Hour)
		})
	})
	t.Run("no limits", func(t *testing.T) {
		s := &smtpserver.Server{Limits: smtpserver.Limits{Idle: -1, Session: -1, DataIdle: -1, DataRate: -1}}
		inWorld(t, s, func(w *world) {
			c := w.call()
			time.Sleep(72 * time.Hour)
			c.begin()
			c.ask("DATA", 354)
			time.Sleep(24 * time.Hour)
			c.ask(".", 250)
			c.ask("QUIT", 221)
			c.ended()
		})
	})
	t.Run("text that stops", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{DataIdle: time.Minute}}, func(w *world) {
			c := w.call()
			c.begin()
			c.ask("DATA", 354)
			c.say(strings.Repeat("x", 500))
			began := time.Now()
			if text := c.hear(421); !strings.Contains(text, "too long") {
				t.Error(text)
			}
			c.ended()
			within(t, "data idle", began, time.Minute)
		})
	})
	t.Run("text that is too slow", func(t *testing.T) {
		limits := smtpserver.Limits{DataRate: 10, DataGrace: time.Minute}
		inWorld(t, &smtpserver.Server{Limits: limits}, func(w *world) {
			c := w.call()
			c.begin()
			c.ask("DATA", 354)
			began := time.Now()
			trickle(c, 1000, 5, time.Second) // 5 octets a second: over when 60 + 5t/10 < t
			if text := c.hear(421); !strings.Contains(text, "too slowly") {
				t.Error(text)
			}
			c.ended()
			within(t, "data rate", began, 2*time.Minute-time.Second)
		})
	})
	t.Run("text that is slow enough", func(t *testing.T) {
		limits := smtpserver.Limits{DataRate: 10, DataGrace: time.Minute}
		inWorld(t, &smtpserver.Server{Limits: limits}, func(w *world) {
			c := w.call()
			c.begin()
			c.ask("DATA", 354)
			trickle(c, 1000, 11, time.Second)
			time.Sleep(1001 * time.Second)
			c.say("", ".")
			c.hear(250)
		})
	})
	t.Run("a chunk that is too slow", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			c := w.call()
			c.begin()
			c.say("BDAT 1000000")
			trickle(c, 10000, 1, time.Second)
			if text := c.hear(421); !strings.Contains(text, "too slowly") {
				t.Error(text)
			}
			c.ended()
		})
	})
	t.Run("thinking between chunks is not slowness", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			c := w.call()
			c.begin()
			for range 50 {
				c.send("BDAT 1\r\nx")
				c.hear(250)
				time.Sleep(4 * time.Minute)
			}
			c.ask("BDAT 0 LAST", 250)
		})
	})
	t.Run("an idle pause in a BDAT", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			c := w.call()
			c.begin()
			c.send("BDAT 2\r\n\r\n")
			c.hear(250, 421)
			c.ended()
		})
	})
	t.Run("a client that does not read", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			conn := w.dial(stranger)
			began := time.Now()
			for block := strings.Repeat("HELP\r\n", 1000); ; {
				if _, err := io.WriteString(conn, block); err != nil {
					break
				}
			}
			within(t, "write", began, 5*time.Minute)
		})
	})
}

// trickle sends n pieces of some octets, with a pause before each.
func trickle(c *caller, n, octets int, pause time.Duration) {
	go func() {
		for range n {
			time.Sleep(pause)
			if _, err := io.WriteString(c.conn, strings.Repeat("x", octets)); err != nil {
				return
			}
		}
	}()
}

// TestConnections: too many connections, in all or from one address, are told
// 421, and there is room again when one of them leaves.
func TestConnections(t *testing.T) {
	s := &smtpserver.Server{Limits: smtpserver.Limits{Connections: 4, PerAddress: 2}}
	inWorld(t, s, func(w *world) {
		from := func(addr string, code int) *caller {
			t.Helper()
			c := newCaller(t, w.dial(addr))
			c.hear(code)
			return c
		}
		a1 := from("192.0.2.1:1000", 220)
		from("192.0.2.1:1001", 220)
		from("192.0.2.1:1002", 421).ended()
		from("[::ffff:192.0.2.1]:1003", 421).ended() // the same client
		from("[2001:db8:0:1::1]:1000", 220)
		from("[2001:db8:0:1::2]:1000", 220)
		from("[2001:db8:0:1::3]:1000", 421).ended() // the same /64
		from("192.0.2.9:1000", 421).ended()         // full
		a1.ask("QUIT", 221)
		a1.ended()
		synctest.Wait()
		from("192.0.2.1:1004", 220)
	})
}

// TestFullOfIdlers: when all places are taken, those who have said nothing for a while
// lose theirs to who comes; those who are at work keep them.
func TestFullOfIdlers(t *testing.T) {
	s := &smtpserver.Server{Limits: smtpserver.Limits{Connections: 4}}
	inWorld(t, s, func(w *world) {
		idle, dripping, busy, writing := w.call(), w.call(), w.call(), w.call()
		idle.ask("EHLO sohu.com", 250)
		dripping.send("EH")
		writing.ask("EHLO sohu.com", 250)
		writing.say("MAIL FROM:<bob@sohu.com>", "RCPT TO:<alice@sina.com>", "DATA")
		writing.hear(250, 250, 354)
		time.Sleep(9 * time.Second)
		dripping.send("LO")
		busy.ask("NOOP", 250)
		newCaller(t, w.dial("192.0.2.1:1")).hear(421)
		time.Sleep(2 * time.Second)
		newcomer := newCaller(t, w.dial("192.0.2.2:1"))
		newcomer.hear(220)
		idle.hear(421)
		idle.ended()
		dripping.hear(421)
		dripping.ended()
		newCaller(t, w.dial("192.0.2.3:1")).hear(220)
		newCaller(t, w.dial("192.0.2.4:1")).hear(421) // nobody has been waited for so long
		busy.ask("NOOP", 250)
		newcomer.ask("NOOP", 250)
		writing.say("Subject: slow", "", ".")
		writing.hear(250)
	})
}

// TestNoLimits: a negative limit is none, a zero one the default.
func TestNoLimits(t *testing.T) {
	s := &smtpserver.Server{Limits: smtpserver.Limits{
		Connections: -1, PerAddress: -1, Recipients: -1, Errors: -1, Messages: -1, MessageSize: -1, TextLine: -1, Discard: -1,
	}}
	inWorld(t, s, func(w *world) {
		for range 150 {
			w.call()
		}
		c := w.call()
		for range 100 {
			c.ask("FOO", 500)
		}
		c.say("EHLO sohu.com", "MAIL FROM:<bob@sohu.com> SIZE=9000000000000000000")
		if text := c.hear(250); !strings.Contains(text, "\nSIZE 0\n") || strings.Contains(text, "LIMITS") {
			t.Errorf("EHLO tells %q", text)
		}
		c.hear(250)
		for range 1100 {
			c.ask("RCPT TO:<alice@sina.com>", 250)
		}
	})
	t.Run("defaults", func(t *testing.T) {
		inWorld(t, &smtpserver.Server{}, func(w *world) {
			for range 100 {
				w.call()
			}
			newCaller(t, w.dial(stranger)).hear(421)
			c := newCaller(t, w.dial("203.0.113.1:1"))
			c.hear(220)
			for range 19 {
				c.ask("FOO", 500)
			}
			c.say("FOO")
			c.hear(500, 421)
		})
	})
}

// TestProxiedClientsAreCountedThemselves: not as the proxy they come through.
func TestProxiedClientsAreCountedThemselves(t *testing.T) {
	s := &smtpserver.Server{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}
	s.Limits.PerAddress = 1
	inWorld(t, s, func(w *world) {
		for _, client := range []struct {
			header string
			code   int
		}{
			{"PROXY TCP4 192.0.2.1 192.0.2.25 1 25", 220},
			{"PROXY TCP4 192.0.2.2 192.0.2.25 1 25", 220},
			{"PROXY TCP4 192.0.2.1 192.0.2.25 2 25", 421},
			{"PROXY UNKNOWN", 220}, // a health check: the proxy itself
			// Version 2, TCP over IPv4, from 192.0.2.3.
			{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x03\xc0\x00\x02\x19\x00\x01\x00", 220},
		} {
			c := newCaller(t, w.dial(stranger))
			if strings.HasPrefix(client.header, "\r") {
				c.send(client.header + "\x19")
			} else {
				c.say(client.header)
			}
			c.hear(client.code)
		}
	})
	t.Run("a peer that keeps its header back", func(t *testing.T) {
		s := &smtpserver.Server{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}
		inWorld(t, s, func(w *world) {
			began := time.Now()
			newCaller(t, w.dial(stranger)).ended()
			within(t, "header", began, 30*time.Second)
			c := newCaller(t, w.dial(stranger))
			c.say("EHLO sohu.com")
			c.ended()
			if w.house.sessions != 0 {
				t.Error("the Handler was asked about a peer that did not say who it is for")
			}
		})
	})
}

func addrPrefix(t *testing.T, addr string) netip.Prefix {
	t.Helper()
	a := netip.MustParseAddrPort(addr).Addr()
	return netip.PrefixFrom(a, a.BitLen())
}

// TestNotTheClientsFault: what is refused for now does not count as the
// client's error, however often.
func TestNotTheClientsFault(t *testing.T) {
	inWorld(t, &smtpserver.Server{Limits: smtpserver.Limits{Errors: 3}}, func(w *world) {
		c := w.call()
		c.begin()
		for range 10 {
			c.ask("RCPT TO:<450.busy@sina.com>", 450)
		}
		c.ask("RCPT TO:<550.nobody@sina.com>", 550)
		c.ask("RCPT TO:<550.nobody@sina.com>", 550)
		c.ask("RCPT TO:<452.full@sina.com>", 452)
		c.say("RCPT TO:<550.nobody@sina.com>")
		c.hear(550, 421)
		c.ended()
	})
}

// TestLastWords: the reply to a text that is not read to its end reaches a
// client that is still sending: our side is closed for writing first, and the
// rest is read for a while, since a reset would take the reply with it.
func TestLastWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours := &parting{TCPConn: accepted.(*net.TCPConn)}
	server := &smtpserver.Server{
		Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
			_, err := io.Copy(io.Discard, m.Body)
			return nil, err
		}),
		Limits: smtpserver.Limits{MessageSize: 1 << 20, Discard: 1 << 20},
	}
	ended := make(chan error)
	go func() { ended <- server.ServeConn(ours) }()
	_, _ = io.WriteString(client, "EHLO sohu.com\r\nMAIL FROM:<bob@sohu.com>\r\nRCPT TO:<alice@sina.com>\r\nDATA\r\n")
	line := strings.Repeat("a", 1022) + "\r\n"
	for range 8 << 10 { // 8 MiB, all of which we can send
		if _, err := io.WriteString(client, line); err != nil {
			t.Fatalf("cut off while sending: %v", err)
		}
	}
	all, err := io.ReadAll(client)
	if err != nil || !strings.Contains(string(all), "552 5.3.4 ") {
		t.Errorf("the client never heard why: %q, %v", all, err)
	}
	_ = client.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !ours.halfClosed || ours.readAfter < 4<<20 {
		t.Errorf("closed for writing: %v, %d octets read after that", ours.halfClosed, ours.readAfter)
	}
}

// parting is a connection that notes how it is ended.
type parting struct {
	*net.TCPConn
	halfClosed bool
	readAfter  int
}

func (p *parting) CloseWrite() error {
	p.halfClosed = true
	return p.TCPConn.CloseWrite()
}

func (p *parting) Read(b []byte) (int, error) {
	n, err := p.TCPConn.Read(b)
	if p.halfClosed {
		p.readAfter += n
	}
	return n, err
}
