package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// names is a name server: the records of a zone, by lower-case name.
type names map[string][]dns.RR

// startNames runs a name server until the test is over, and returns its address. The zone is
// in the form of RFC 1035, with whole names.
func startNames(t *testing.T, zone string, more ...dns.RR) string {
	t.Helper()
	z := names{}
	for l := range strings.Lines(zone) {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		rr, err := dns.NewRR(l)
		check(t, err)
		z.add(rr)
	}
	for _, rr := range more {
		z.add(rr)
	}
	l, err := net.Listen("tcp", host()+":0")
	check(t, err)
	u, err := net.ListenPacket("udp", l.Addr().String())
	check(t, err)
	for _, s := range []*dns.Server{{Listener: l, Handler: z}, {PacketConn: u, Handler: z}} {
		ready, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() {
			_ = s.ActivateAndServe()
			close(ended)
		}()
		<-ready
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return l.Addr().String()
}

func (z names) add(rr dns.RR) {
	name := strings.ToLower(rr.Header().Name)
	z[name] = append(z[name], rr)
}

// ServeDNS implements [dns.Handler].
func (z names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable, r.Compress = true, true
	name := strings.ToLower(q.Question[0].Name)
	for range 10 { // CNAMEs
		all, exists := z[name]
		if !exists {
			r.Rcode = dns.RcodeNameError
		}
		next := ""
		for _, rr := range all {
			if c, is := rr.(*dns.CNAME); is {
				next = c.Target
			}
			if rr.Header().Rrtype == q.Question[0].Qtype || next != "" {
				r.Answer = append(r.Answer, rr)
			}
		}
		if next == "" {
			break
		}
		name = strings.ToLower(next)
	}
	most := dns.MaxMsgSize
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		most = dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			most = int(o.UDPSize())
			r.SetEdns0(o.UDPSize(), false)
		}
	}
	r.Truncate(most)
	_ = w.WriteMsg(r)
}
