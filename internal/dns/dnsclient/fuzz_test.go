package dnsclient

import (
	"strings"
	"testing"
	"time"

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

// FuzzResolvConf: whatever stands in the file, what is read of it is bounded.
func FuzzResolvConf(f *testing.F) {
	f.Add("# by hand\nnameserver 192.0.2.1\nnameserver ::1%eth0\noptions timeout:1 attempts:3 trust-ad\nsearch a b\n")
	f.Add(strings.Repeat("nameserver 192.0.2.1\n", 100))
	f.Add("options timeout:-1 attempts:99999999999999999999 timeout\nnameserver\nnameserver x\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadResolvConf(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(c.Servers) > maxServers || c.Timeout < 0 || c.Timeout > 30*time.Second || c.Attempts < 0 || c.Attempts > 5 {
			t.Errorf("%+v", c)
		}
		for _, s := range c.Servers {
			if !s.IsValid() || s.Port() != 53 {
				t.Errorf("a server at %v", s)
			}
		}
	})
}
