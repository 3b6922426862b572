package ratelimit

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

func visit(client string) *policy.Visit {
	return &policy.Visit{Source: mail.Source{Client: netip.AddrPortFrom(netip.MustParseAddr(client), 4711)}}
}

// TestTooMany: so many at once, and then one for each part of the time; others of the network
// have their own, until the network has too many.
func TestTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{
			Address: Rates{Messages: Rate{Count: 3, Per: time.Minute}},
			Network: Rates{Messages: Rate{Count: 5, Per: time.Minute}},
		})
		taken := func(client string, tries int) (n int) {
			s := c.Open(visit(client))
			if s == nil {
				return tries
			}
			for range tries {
				if o := s.Mail(t.Context(), visit(client)); o.Action == policy.Pass {
					n++
				} else if !o.Firm || o.Reply.Code != smtp.CodeMailboxBusy {
					t.Errorf("%+v", o)
				}
			}
			return n
		}
		expect := func(client string, tries, want int) {
			t.Helper()
			if got := taken(client, tries); got != want {
				t.Errorf("%s: %d of %d are taken, want %d", client, got, tries, want)
			}
		}
		expect("192.0.2.7", 10, 3)
		expect("192.0.2.8", 10, 2) // the network has had five
		expect("198.51.100.7", 2, 2)
		time.Sleep(20 * time.Second)
		expect("192.0.2.7", 10, 1)
		time.Sleep(time.Hour)
		expect("192.0.2.7", 10, 3) // not more, however long it was away
		expect("2001:db8::1", 2, 2)
		expect("2001:db8::2", 2, 1) // the same /64
		expect("127.0.0.1", 10, 10)
	})
}

func TestEachKindHasItsOwn(t *testing.T) {
	one := Rate{Count: 1, Per: time.Hour}
	s := New(Options{Address: Rates{one, one, one}}).Open(visit("192.0.2.7"))
	v := visit("192.0.2.7")
	for n := range 2 {
		for kind, o := range []policy.Opinion{s.Connect(t.Context(), v), s.Mail(t.Context(), v), s.Rcpt(t.Context(), v, &smtp.Rcpt{})} {
			if refused := o.Action == policy.Defer; refused != (n == 1) {
				t.Errorf("kind %d, time %d: %+v", kind, n, o)
			}
		}
	}
	v.Trusted = true
	if o := s.Mail(t.Context(), v); o.Action != policy.Pass {
		t.Errorf("who is trusted: %+v", o)
	}
}

// TestMemoryIsBounded: however many come, and whoever stays away is forgotten first.
func TestMemoryIsBounded(t *testing.T) {
	c := New(Options{Address: Rates{Messages: Rate{Count: 2, Per: time.Hour}}, Table: NewTable(100)})
	s := c.Open(visit("192.0.2.7"))
	busy := visit("192.0.2.7")
	s.Mail(t.Context(), busy)
	s.Mail(t.Context(), busy)
	for i := range 10_000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		s.Mail(t.Context(), visit(a.String()))
		if n := len(c.o.Table.young) + len(c.o.Table.old); n > 101 {
			t.Fatalf("%d are remembered", n)
		}
	}
	if o := s.Mail(t.Context(), busy); o.Action != policy.Pass {
		t.Errorf("who was forgotten begins anew: %+v", o)
	}
}
