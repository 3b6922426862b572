package dmarc

import (
	"strconv"
	"strings"
)

// Policy is what a domain wants done with mail that fails (RFC 9989, 4.7).
type Policy string

const (
	None       Policy = "none"
	Quarantine Policy = "quarantine"
	Reject     Policy = "reject"
)

// weaker is the policy one step below, for t=y and pct=.
func (p Policy) weaker() Policy {
	if p == Reject {
		return Quarantine
	}
	return None
}

func (p Policy) severity() int {
	return strings.Index("none quarantine reject", string(p))
}

// Record is a policy record, as published at _dmarc.DOMAIN.
type Record struct {
	Policy      Policy   // p=; default none; "" if the record says nothing of use
	Subdomains  Policy   // sp=; default p=
	Nonexistent Policy   // np=; default sp=
	StrictDKIM  bool     // adkim=s
	StrictSPF   bool     // aspf=s
	Aggregate   []string // rua=: URIs, as written
	Failure     []string // ruf=: likewise
	Options     string   // fo=; default "0"
	Testing     bool     // t=y
	Percent     int      // pct=; default 100 (RFC 7489 only)
	// Suffix is psd=: "y" for a public suffix, "n" for an organizational
	// domain, "u", the default, for neither.
	Suffix string
}

const (
	maxRecord = 16 << 10
	maxURIs   = 16
)

// ParseRecord reads a record. It reports false if txt is none: it does not begin with
// v=DMARC1. One whose p=, sp= or np= makes no sense counts as p=none, if it wants reports,
// and else has the Policy "": DMARC is not applied then, and no other record is looked for
// (RFC 9989, 4.10.1). Errors in other tags leave the default (4.7); of a tag that stands
// twice the first counts.
func ParseRecord(txt string) (*Record, bool) {
	if len(txt) > maxRecord {
		return nil, false
	}
	version, rest, _ := strings.Cut(txt, ";")
	if name, value, _ := strings.Cut(version, "="); trim(name) != "v" || trim(value) != "DMARC1" {
		return nil, false
	}
	p := parser{tags: map[string]string{}}
	for tag := range strings.SplitSeq(rest, ";") {
		name, value, ok := strings.Cut(tag, "=")
		if _, twice := p.tags[trim(name)]; ok && !twice {
			p.tags[trim(name)] = trim(value)
		}
	}
	return p.record(), true
}

type parser struct {
	tags map[string]string
	bad  bool // a policy that is none
}

func (p *parser) record() *Record {
	r := &Record{
		StrictDKIM: p.word("adkim", "r", "s") == "s",
		StrictSPF:  p.word("aspf", "r", "s") == "s",
		Aggregate:  p.uris("rua"),
		Failure:    p.uris("ruf"),
		Options:    p.options(),
		Testing:    p.word("t", "n", "y") == "y",
		Percent:    p.percent(),
		Suffix:     p.word("psd", "u", "y", "n"),
	}
	r.Policy = p.policy("p", None)
	r.Subdomains = p.policy("sp", r.Policy)
	r.Nonexistent = p.policy("np", r.Subdomains)
	if p.bad {
		r.Policy, r.Subdomains, r.Nonexistent = None, None, None
		if len(r.Aggregate) == 0 {
			r.Policy = ""
		}
	}
	return r
}

// word returns the value of a tag, if it is one of others, else def.
func (p *parser) word(tag, def string, others ...string) string {
	value := strings.ToLower(p.tags[tag])
	for _, o := range others {
		if value == o {
			return o
		}
	}
	return def
}

func (p *parser) policy(tag string, def Policy) Policy {
	if _, ok := p.tags[tag]; !ok {
		return def
	}
	word := Policy(p.word(tag, "", string(None), string(Quarantine), string(Reject)))
	p.bad = p.bad || word == ""
	return word
}

// uris returns the URIs of a tag that look like some.
func (p *parser) uris(tag string) (all []string) {
	for uri := range strings.SplitSeq(p.tags[tag], ",") {
		uri = trim(uri)
		scheme, rest, ok := strings.Cut(uri, ":")
		if ok && scheme != "" && rest != "" && !strings.ContainsFunc(uri, notInURI) && len(all) < maxURIs {
			all = append(all, uri)
		}
	}
	return all
}

func notInURI(r rune) bool { return r <= ' ' || r > '~' }

func (p *parser) options() string {
	fo := p.tags["fo"]
	if fo == "" || strings.Trim(fo, "01ds: \t") != "" {
		return "0"
	}
	return fo
}

func (p *parser) percent() int {
	n, err := strconv.Atoi(p.tags["pct"])
	if err != nil || n < 0 || n > 100 {
		return 100
	}
	return n
}

func trim(s string) string { return strings.Trim(s, " \t\r\n") }
