// Package tlspolicytest is the suite that every [tlspolicy.Source] passes.
package tlspolicytest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Subject is a source in a world of the test's making.
type Subject struct {
	Source tlspolicy.Source
	By     string // who asks
	// Demanding is a host of which something is demanded; Silent one of which nothing is;
	// Unknown one of which it cannot be told now. Unknown may be the zero Query.
	Demanding, Silent, Unknown tlspolicy.Query
}

// Name makes a name, and ends the test if it is none.
func Name(t testing.TB, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Query makes one about a host, by CNAME of nothing, with everything signed.
func Query(t testing.TB, domain, host string) tlspolicy.Query {
	t.Helper()
	h := Name(t, host)
	return tlspolicy.Query{Domain: Name(t, domain), Signed: true, Host: h, Canonical: h, HostSigned: true, Port: 25}
}

// Run holds a source to the contract.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	t.Run("what is demanded is whole", func(t *testing.T) { demanding(t, open(t)) })
	t.Run("nothing is demanded of the others", func(t *testing.T) {
		s := open(t)
		for _, q := range []tlspolicy.Query{s.Silent, {}} {
			if d, err := s.Source.Demand(t.Context(), q); err != nil || !d.IsZero() || d.Level != tlspolicy.Opportunistic {
				t.Errorf("%+v: %+v, %v", q, d, err)
			}
		}
	})
	t.Run("who cannot tell says so", func(t *testing.T) {
		s := open(t)
		if s.Unknown == (tlspolicy.Query{}) {
			return
		}
		if d, err := s.Source.Demand(t.Context(), s.Unknown); err == nil || !d.IsZero() || !oneLine(err.Error()) {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("many ask at once", func(t *testing.T) {
		s := open(t)
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if d, err := s.Source.Demand(t.Context(), s.Demanding); err != nil || d.By != s.By {
					t.Errorf("%+v, %v", d, err)
				}
			})
		}
		wait.Wait()
	})
	t.Run("who has no time is no judge", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if d, err := s.Source.Demand(ctx, s.Demanding); err == nil && d.IsZero() {
			t.Error("a context that is over takes the demand away")
		}
	})
}

func demanding(t *testing.T, s Subject) {
	t.Helper()
	d, err := s.Source.Demand(t.Context(), s.Demanding)
	switch {
	case err != nil:
		t.Fatal(err)
	case d.By != s.By || d.Level == tlspolicy.Opportunistic:
		t.Errorf("by %q, %s", d.By, d.Level)
	case d.Why == "" || !oneLine(d.Why) || d.Key == "":
		t.Errorf("why %q, key %q", d.Why, d.Key)
	case !d.Until.IsZero() && !d.Until.After(time.Now()):
		t.Errorf("it is over: %s", d.Until)
	}
	for _, line := range d.Policy {
		if !oneLine(line) {
			t.Errorf("a line of the policy: %q", line)
		}
	}
	again, err := s.Source.Demand(t.Context(), s.Demanding)
	if err != nil || again.Key != d.Key || again.Level != d.Level {
		t.Errorf("asked again: %+v, %v", again, err)
	}
}

func oneLine(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
