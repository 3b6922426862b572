package tally_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
)

var here = netip.MustParseAddrPort("192.0.2.1:25")

func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := memspool.New(memspool.Options{})
		defer states.Close()
		c := tally.New(states)
		q := tlspolicytest.Query(t, "b.test", "mx.b.test")
		dane := tlspolicy.Demand{By: tlspolicy.ByDANE, Level: tlspolicy.Verified, Policy: []string{"3 1 1 00"}}
		sts := tlspolicy.Demand{By: tlspolicy.ByMTASTS, Policy: []string{"version: STSv1"}}
		note := func(r tlspolicy.Result) {
			r.At, r.Query = time.Now(), q
			c.Note(t.Context(), r)
		}
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() { note(tlspolicy.Result{Demand: dane, Addr: here, Encrypted: true, Verified: true}) })
		}
		wait.Wait()
		note(tlspolicy.Result{Demand: dane, Addr: here, Err: errors.New("x\r\ny")})
		note(tlspolicy.Result{Demand: dane, Addr: here, Err: errors.New("another reason")})
		note(tlspolicy.Result{Err: fmt.Errorf("TLSA: %w", dns.ErrBogus)})
		note(tlspolicy.Result{Demand: sts, Addr: here, Encrypted: true})
		note(tlspolicy.Result{Err: &tlspolicy.FailureError{Failure: tlspolicy.STSPolicyFetch, Err: errors.New("404")}})
		note(tlspolicy.Result{Addr: here, Encrypted: true})
		note(tlspolicy.Result{Addr: here})
		if got, err := c.Before(t.Context(), time.Now()); err != nil || len(got) != 0 {
			t.Errorf("before the day is over: %+v, %v", got, err)
		}
		time.Sleep(24 * time.Hour)
		counts, err := c.Before(t.Context(), time.Now())
		if err != nil || len(counts) != 1 || counts[0].Name != "b.test" {
			t.Fatalf("%+v, %v", counts, err)
		}
		var got []string
		for _, p := range counts[0].Value {
			s := fmt.Sprintf("%s %d %d", p.Policy.Type, p.Summary.Successful, p.Summary.Failed)
			for _, f := range p.Failures {
				s += fmt.Sprintf(" %s*%d %q", f.Type, f.Count, f.Reason)
			}
			got = append(got, s)
		}
		want := []string{
			`tlsa 10 2 validation-failure*2 "x  y"`,
			`tlsa 0 1 dnssec-invalid*1 "TLSA: validation failed"`,
			`sts 1 0`,
			`sts 0 1 sts-policy-fetch-error*1 "404"`,
			`no-policy-found 1 1 starttls-not-supported*1 ""`,
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if err := c.Done(t.Context(), &counts[0]); err != nil {
			t.Error(err)
		}
		if left, _ := c.Before(t.Context(), time.Now()); len(left) != 0 {
			t.Errorf("it is still there: %+v", left)
		}
	})
}

// TestItIsBounded: a domain with ever new failures.
func TestItIsBounded(t *testing.T) {
	states := memspool.New(memspool.Options{})
	defer states.Close()
	c := tally.New(states)
	for i := range 120 {
		q := tlspolicytest.Query(t, "b.test", fmt.Sprintf("mx%d.b.test", i))
		d := tlspolicy.Demand{By: tlspolicy.ByDANE, Policy: []string{fmt.Sprint(i / 60)}}
		c.Note(t.Context(), tlspolicy.Result{At: time.Now(), Query: q, Demand: d, Addr: here, Err: errors.New("x")})
	}
	counts, err := c.Before(t.Context(), time.Now().Add(24*time.Hour))
	if err != nil || len(counts) != 1 || len(counts[0].Value) != 2 {
		t.Fatalf("%+v, %v", counts, err)
	}
	if p := counts[0].Value[0]; p.Summary.Failed != 60 || len(p.Failures) != 50 {
		t.Errorf("%d failures, %d of them told", p.Summary.Failed, len(p.Failures))
	}
}
