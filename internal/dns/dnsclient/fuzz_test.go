package dnsclient

import (
	"testing"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dns"
)

// FuzzAnswer reads what a server may send: whatever it is, records are bounded
// and names are names.
func FuzzAnswer(f *testing.F) {
	q := query("a.test", wire.TypeMX)
	q.Id = 1
	m := new(wire.Msg).SetReply(q)
	for _, l := range []string{"a.test. 1 IN CNAME b.test.", "b.test. 1 IN MX 1 c.test.", `b.test. 1 IN MX 1 c\000.test.`, "b.test. 1 IN TXT x"} {
		rr, err := wire.NewRR(l)
		if err != nil {
			f.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	in, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(in)
	f.Add(in[:40])
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := read(q, in)
		if err != nil {
			return
		}
		_ = verdict(r.Msg)
		s := set{owner: "a.test", ttl: longest}
		s.add(r, wire.TypeMX)
		a := answer(dns.Name{}, s, func(rr wire.RR) (dns.Name, bool) {
			mx, ok := rr.(*wire.MX)
			if !ok {
				return dns.Name{}, false
			}
			n, err := dns.ParseName(mx.Mx)
			return n, err == nil
		}, nil)
		for _, n := range a.Records {
			if again, err := dns.ParseName(n.String()); err != nil || again != n {
				t.Errorf("%q is no name", n)
			}
		}
		if len(a.Records) > dns.MaxRecords {
			t.Errorf("%d records", len(a.Records))
		}
	})
}
