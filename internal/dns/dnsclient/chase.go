package dnsclient

import (
	"context"
	"strings"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dns"
)

// set is the records that were found, behind all CNAME records.
type set struct {
	owner   string
	records []wire.RR
	ad      bool
	ttl     time.Duration
	server  string
	octets  int
}

// maxChain is how many CNAME records are followed, and how many questions are
// asked for it.
const maxChain = 8

// chase finds records, following CNAME records within an answer, and with
// further questions when the server has not followed them itself. The set that
// comes with an error that is final says how long that holds.
func (c *Client) chase(ctx context.Context, name string, typ uint16) (set, error) {
	found := set{owner: name, ad: true, ttl: longest}
	refuse := func(kind error, detail string) (set, error) {
		found.records = nil
		return found, &dns.Error{Question: question(name, typ), Server: found.server, Err: kind, Detail: detail}
	}
	for links := 0; ; {
		r, err := c.ask(ctx, found.owner, typ)
		if err != nil {
			found.ttl = 0
			return found, err
		}
		aliases, ok := found.add(r, typ)
		links += aliases
		switch {
		case !ok || links > maxChain:
			return refuse(dns.ErrUnusable, "CNAME records go round, or too far")
		case r.Rcode == wire.RcodeNameError:
			found.bound(denial(r.Msg), longestDenial)
			return refuse(dns.ErrNotFound, "")
		case len(found.records) > 0:
			return found, nil
		case aliases == 0:
			found.bound(denial(r.Msg), longestDenial)
			return refuse(dns.ErrNoData, "")
		}
	}
}

// add takes from an answer what belongs to the owner, and moves the owner along
// its CNAME records. It returns how many there were; not ok is a loop.
func (s *set) add(r reply, typ uint16) (aliases int, ok bool) {
	s.server, s.ad, s.octets = r.server, s.ad && r.ad, s.octets+r.octets
	by := byOwner(r.Answer, typ)
	seen := map[string]bool{}
	for {
		at := canonical(s.owner)
		if seen[at] || aliases > maxChain {
			return aliases, false
		}
		seen[at] = true
		here := by[at]
		if len(here.records) > 0 {
			s.records = here.records
			s.bound(here.ttl, longest)
			return aliases, true
		}
		if here.alias == "" {
			return aliases, true
		}
		s.owner = here.alias
		s.bound(here.ttl, longest)
		aliases++
	}
}

func (s *set) bound(ttl, most time.Duration) { s.ttl = min(s.ttl, ttl, most) }

// owned is what an answer has for one name.
type owned struct {
	records []wire.RR
	alias   string
	ttl     time.Duration
}

func byOwner(rrs []wire.RR, typ uint16) map[string]owned {
	by := map[string]owned{}
	for _, rr := range rrs {
		h := rr.Header()
		if h.Class != wire.ClassINET {
			continue
		}
		name, ttl := canonical(h.Name), time.Duration(h.Ttl)*time.Second
		o, known := by[name]
		if !known || ttl < o.ttl {
			o.ttl = ttl
		}
		if cname, ok := rr.(*wire.CNAME); ok {
			o.alias = cname.Target
		} else if h.Rrtype == typ {
			o.records = append(o.records, rr)
		} else {
			continue
		}
		by[name] = o
	}
	return by
}

// denial returns how long it holds that there is no record (RFC 2308, 5).
func denial(m *wire.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*wire.SOA); ok {
			return time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
		}
	}
	return 0
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// unescape undoes the escapes with which the wire's texts are printed: \" and
// \\ and \DDD.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if n, ok := decimal(s[i+1:]); ok {
				c, i = n, i+3
			} else {
				c, i = s[i+1], i+1
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// decimal reads the three digits of an octet.
func decimal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return byte(n), true
}
