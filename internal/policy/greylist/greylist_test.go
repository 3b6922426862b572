package greylist

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// world is a check over a spool, in a bubble.
type world struct {
	*testing.T
	c *Check
}

func in(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		engine := memspool.New(memspool.Options{Random: rand.NewChaCha8([32]byte{1})})
		defer engine.Close()
		f(&world{t, New(Options{States: engine})})
	})
}

// comes brings a message from an address, with SPF passed for a domain if there is one, and
// reports whether it is taken; "later" and what was said if not.
func (w *world) comes(client, domain string) string {
	w.Helper()
	v := &policy.Visit{Source: mail.Source{Client: netip.AddrPortFrom(netip.MustParseAddr(client), 4711)}}
	if domain != "" {
		from, err := smtp.ParseMailbox("jo@" + domain)
		if err != nil {
			w.Fatal(err)
		}
		v.From = from
		v.Results = []senderauth.MethodResult{{Method: "spf", Verdict: senderauth.Pass, Properties: []senderauth.Property{{Type: "smtp", Name: "mailfrom"}}}}
	}
	s := w.c.Open(v)
	if s == nil {
		return "taken"
	}
	o := s.Rcpt(w.Context(), v, &smtp.Rcpt{})
	if again := s.Rcpt(w.Context(), v, &smtp.Rcpt{}); again.Action != o.Action {
		w.Errorf("the second recipient: %s, the first %s", again.Action, o.Action)
	}
	if o.Action == policy.Defer {
		return "later"
	}
	return "taken"
}

func (w *world) expect(client, domain, want string) {
	w.Helper()
	if got := w.comes(client, domain); got != want {
		w.Errorf("%s %s: %s, want %s", client, domain, got, want)
	}
}

func TestWhoComesAgainIsKnown(t *testing.T) {
	in(t, func(w *world) {
		w.expect("192.0.2.7", "", "later")
		time.Sleep(30 * time.Second)
		w.expect("192.0.2.8", "", "later") // too soon
		time.Sleep(30 * time.Second)
		w.expect("192.0.2.8", "", "taken")
		w.expect("192.0.2.9", "", "taken") // the network is known
		w.expect("192.0.3.9", "", "later")
		w.expect("2001:db8::1", "", "later")
		time.Sleep(time.Minute)
		w.expect("2001:db8::2", "", "taken")
		w.expect("2001:db8:0:1::2", "", "later")
		w.expect("127.0.0.1", "", "taken")
	})
}

func TestWhoStaysAwayIsForgotten(t *testing.T) {
	in(t, func(w *world) {
		w.expect("192.0.2.7", "", "later")
		time.Sleep(25 * time.Hour)
		w.expect("192.0.2.7", "", "later") // too late
		time.Sleep(2 * time.Minute)
		w.expect("192.0.2.7", "", "taken")
		for range 5 {
			time.Sleep(30 * 24 * time.Hour)
			w.expect("192.0.2.7", "", "taken") // who comes stays known
		}
		time.Sleep(36 * 24 * time.Hour)
		w.expect("192.0.2.7", "", "later")
	})
}

// TestKnownByDomain: a domain that sends from many networks has to come again only once, and
// only where SPF says that it is it.
func TestKnownByDomain(t *testing.T) {
	in(t, func(w *world) {
		w.expect("192.0.2.7", "sina.com", "later")
		time.Sleep(2 * time.Minute)
		w.expect("198.51.100.7", "SINA.com", "taken")
		w.expect("203.0.113.7", "sina.com", "taken")
		w.expect("192.0.9.7", "", "later")
		w.expect("192.0.9.8", "sohu.com", "later")
	})
}

// TestStrangersCannotFillTheSpool: beyond so many in a short time, mail is taken.
func TestStrangersCannotFillTheSpool(t *testing.T) {
	in(t, func(w *world) {
		later := 0
		for i := range 3000 {
			if w.comes(fmt.Sprintf("10.%d.%d.1", i/256, i%256), "") == "later" {
				later++
			}
		}
		if later != burst {
			w.Errorf("%d strangers were noted, want %d", later, burst)
		}
		time.Sleep(time.Second)
		w.expect("192.0.2.7", "", "later")
	})
}

// broken is a spool that does not answer.
type broken struct{}

func (broken) State(context.Context, string, string) (spool.State, error) {
	return spool.State{}, errors.New("input/output error")
}

func (broken) PutState(context.Context, spool.State, uint64) (uint64, error) {
	return 0, errors.New("input/output error")
}

func TestTakenWhileTheSpoolIsSilent(t *testing.T) {
	v := &policy.Visit{Source: mail.Source{Client: netip.MustParseAddrPort("192.0.2.7:4711")}}
	o := New(Options{States: broken{}}).Open(v).Rcpt(t.Context(), v, &smtp.Rcpt{})
	if o.Action != policy.Pass || !strings.Contains(o.Reason, "input/output error") {
		t.Errorf("%+v", o)
	}
}
