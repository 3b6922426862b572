package remembered_test

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/remembered"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
)

var here = netip.MustParseAddrPort("192.0.2.1:25")

func open(t *testing.T) *remembered.Memory {
	t.Helper()
	s := memspool.New(memspool.Options{})
	t.Cleanup(func() { _ = s.Close() })
	return &remembered.Memory{States: s}
}

func TestSuite(t *testing.T) {
	tlspolicytest.Run(t, func(t *testing.T) tlspolicytest.Subject {
		m := open(t)
		q := tlspolicytest.Query(t, "b.test", "mx.b.test")
		m.Note(t.Context(), tlspolicy.Result{At: time.Now(), Query: q, Addr: here, Encrypted: true, Verified: true})
		return tlspolicytest.Subject{
			Source: m, By: tlspolicy.ByMemory, Demanding: q,
			Silent: tlspolicytest.Query(t, "c.test", "mx.b.test"), // nobody has sent there
		}
	})
}

// TestMemory: what is seen, and what is demanded then.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memspool.New(memspool.Options{})
		defer s.Close()
		m := &remembered.Memory{States: s, Keep: 10 * 24 * time.Hour, Patience: time.Hour}
		q := tlspolicytest.Query(t, "b.test", "mx.b.test")
		see := func(r tlspolicy.Result) {
			r.At, r.Query, r.Addr = time.Now(), q, here
			var err error
			if r.Demand, err = m.Demand(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			m.Note(t.Context(), r)
		}
		expect := func(when string, level tlspolicy.Level, why string) {
			t.Helper()
			d, err := m.Demand(t.Context(), q)
			if err != nil || d.Level != level || !strings.Contains(d.Why, why) || d.Why == "" && why != "" {
				t.Errorf("%s: %+v, %v", when, d, err)
			}
		}
		cut := errors.New("STARTTLS: the server does not offer it")
		expect("nothing was seen", tlspolicy.Opportunistic, "")
		see(tlspolicy.Result{Encrypted: true})
		expect("a bad certificate is nothing to remember", tlspolicy.Opportunistic, "")
		see(tlspolicy.Result{Encrypted: true, Verified: true})
		expect("a good one is", tlspolicy.Verified, "had verified TLS on 2000-01-01 00:00 UTC")
		see(tlspolicy.Result{Err: cut})
		expect("it is gone: for an hour the mail waits", tlspolicy.Verified, "waits for it until 2000-01-01 01:00 UTC")
		time.Sleep(30 * time.Minute)
		see(tlspolicy.Result{Err: cut})
		expect("another failure is no new hour", tlspolicy.Verified, "until 2000-01-01 01:00 UTC")
		time.Sleep(31 * time.Minute)
		expect("the hour is over", tlspolicy.Opportunistic, "has had none since 2000-01-01 00:00 UTC")
		see(tlspolicy.Result{Encrypted: true, Verified: true})
		expect("it is back", tlspolicy.Verified, "on 2000-01-01 01:01 UTC")
		time.Sleep(11 * 24 * time.Hour)
		expect("it is forgotten", tlspolicy.Opportunistic, "")
	})
}

// TestOtherJudges: a certificate that only DANE has called good need not be good for the
// name, and so is not remembered.
func TestOtherJudges(t *testing.T) {
	m := open(t)
	q := tlspolicytest.Query(t, "b.test", "mx.b.test")
	d := tlspolicy.Demand{By: tlspolicy.ByDANE, Level: tlspolicy.Verified, Verify: func(tls.ConnectionState) error { return nil }}
	m.Note(t.Context(), tlspolicy.Result{At: time.Now(), Query: q, Addr: here, Demand: d, Encrypted: true, Verified: true})
	if d, err := m.Demand(t.Context(), q); err != nil || !d.IsZero() {
		t.Errorf("%+v, %v", d, err)
	}
}
