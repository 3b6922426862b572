package dmarc

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/posthouse/posthouse/senderauth"
)

// tree asks for policy records, each name at most once.
type tree struct {
	ctx      context.Context
	resolver senderauth.Resolver
	suffixes bool // public suffix list instead of the walk
	known    map[string]answer
}

type answer struct {
	rec *Record // nil: none
	err error
}

// record returns the record of a domain, or nil. Where there are several, none
// counts (RFC 9989, 4.10, step 2).
func (t *tree) record(domain string) (*Record, error) {
	a, ok := t.known[domain]
	if !ok {
		a.rec, a.err = t.ask(domain)
		t.known[domain] = a
	}
	return a.rec, a.err
}

func (t *tree) ask(domain string) (rec *Record, err error) {
	name := "_dmarc." + domain
	if len(name) > 253 {
		return nil, nil
	}
	texts, err := t.resolver.LookupTXT(t.ctx, name+".")
	if err != nil && len(texts) == 0 && !senderauth.NotFound(err) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	count := 0
	for _, txt := range texts {
		if r, ok := ParseRecord(txt); ok {
			rec = r
			count++
		}
	}
	if count != 1 {
		return nil, nil
	}
	return rec, nil
}

// place is what a domain belongs to.
type place struct {
	organization string // the organizational domain
	suffix       string // the public suffix that says so itself (psd=y), or ""
}

// Organization returns the organizational domain of a domain, which is itself if no record
// says otherwise (RFC 9989, 4.10.2). The error is one of the DNS that may pass, or that of
// [senderauth.ParseDomain].
func Organization(ctx context.Context, r senderauth.Resolver, domain string) (string, error) {
	domain, err := senderauth.ParseDomain(domain)
	if err != nil {
		return "", err
	}
	t := &tree{ctx: ctx, resolver: r, known: map[string]answer{}}
	at, err := t.place(domain)
	return at.organization, err
}

// place finds the organizational domain (RFC 9989, 4.10.2).
func (t *tree) place(domain string) (place, error) {
	if t.suffixes {
		if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
			return place{organization: org}, nil
		}
		return place{organization: domain}, nil
	}
	return t.walk(domain)
}

// walk is the tree walk: up from the domain, until a record says that it is
// the end, else to the top; the record with the fewest labels counts.
//
// A top-level domain with a record is taken for a public suffix, also without
// psd=y: by the letter of RFC 9989 all domains in it would be one organization,
// and each could sign for each.
func (t *tree) walk(domain string) (place, error) {
	p := place{organization: domain}
	for at := domain; at != ""; at = above(at) {
		rec, err := t.record(at)
		if err != nil {
			return p, err
		}
		switch top := !strings.Contains(at, "."); {
		case rec == nil || rec.Policy == "":
		case at != domain && (rec.Suffix == "y" || top && rec.Suffix == "u"):
			return place{organization: oneBelow(domain, at), suffix: at}, nil
		case rec.Suffix != "u":
			return place{organization: at}, nil
		default:
			p.organization = at
		}
	}
	return p, nil
}

// above is the next name to ask for: one label less, and after a long name the
// one of seven labels, so that there are at most eight (RFC 9989, 4.10).
func above(name string) string {
	labels := strings.Split(name, ".")
	switch n := len(labels); {
	case n == 1:
		return ""
	case n > 8:
		return strings.Join(labels[n-7:], ".")
	}
	return strings.Join(labels[1:], ".")
}

// oneBelow returns the name one label below top on the way down to domain.
func oneBelow(domain, top string) string {
	head := strings.TrimSuffix(domain, "."+top)
	return head[strings.LastIndexByte(head, '.')+1:] + "." + top
}

// exists reports whether a domain has any address or mail exchanger (RFC 9989,
// 3.2.13: NXDOMAIN and an empty answer are the same here).
func (t *tree) exists(domain string) (bool, error) {
	name := domain + "."
	mx, err := t.resolver.LookupMX(t.ctx, name)
	if found, err := isThere(len(mx), err); found || err != nil {
		return found, err
	}
	for _, network := range []string{"ip4", "ip6"} {
		ips, err := t.resolver.LookupNetIP(t.ctx, network, name)
		if found, err := isThere(len(ips), err); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func isThere(records int, err error) (bool, error) {
	if records > 0 || err == nil {
		return records > 0, nil
	}
	if senderauth.NotFound(err) {
		return false, nil
	}
	return false, err
}
