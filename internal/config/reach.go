package config

import (
	"net/netip"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// maxCompared bounds the search for routes that are never used: it grows with
// the square of their number, and a file must not hold the program up. What is
// not found in that many comparisons is not told.
const maxCompared = 1_000_000

// bare reports whether a route has no conditions.
func (r *Route) bare() bool {
	return !r.To.Given() && !r.From.Given() && !r.Networks.Given() && !r.Logins.Given()
}

// unconditional reports whether a route takes all mail.
func (r *Route) unconditional() bool {
	return len(r.From.Value)+len(r.Networks.Value)+len(r.Logins.Value) == 0 &&
		(len(r.To.Value) == 0 || slices.Contains(r.To.Value, "*"))
}

// checkReach finds routes that no mail can reach.
func (d *decoder) checkReach(c *Config) {
	s := search{c: c, left: maxCompared, local: map[string]mail.Origin{}}
	for i := range c.Domains {
		m := &c.Domains[i]
		for _, name := range append([]string{m.Name}, m.Also.Value...) {
			s.local[name] = m.Origin
		}
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.ByName || r.Origin.File == "" {
			continue
		}
		local := r.Transport == LMTP || r.Transport == Maildir || r.Transport == Pipe || r.Transport == Discard
		if r.bare() && local {
			r.ByName = true // as was meant: nothing is in its shadow
			d.add(r.Origin, `write deliver = "..." in a domain, or to = "*" here if all mail that leaves us is meant`,
				"the route %q is not used: no domain delivers to it, and it has no conditions", r.Name)
			continue
		}
		d.checkShadow(&s, i)
	}
}

// search is for what is in the way of a route.
type search struct {
	c     *Config
	local map[string]mail.Origin // our domains
	left  int                    // comparisons
}

func (d *decoder) checkShadow(s *search, i int) {
	r := &s.c.Routes[i]
	to := r.To.Value
	if len(to) == 0 {
		to = []Pattern{"*"}
	}
	var hidden []Pattern
	var by mail.Origin
	for _, p := range to {
		if at, ok := s.shadow(i, p); ok {
			hidden, by = append(hidden, p), at
		}
	}
	const hint = "the first that fits has the mail; to change where a domain of ours delivers, write deliver there"
	switch {
	case len(hidden) == len(to):
		d.add(r.Origin, hint, "the route %q is never used: line %d has all of its mail", r.Name, by.Line)
	case len(hidden) > 0:
		d.add(r.To.Origin, hint, "the route %q is never used for %q: line %d has all of that mail", r.Name, hidden[0], by.Line)
	}
}

// shadow finds what has all of the mail of route i to p: a domain of ours, or a
// route before it.
func (s *search) shadow(i int, p Pattern) (mail.Origin, bool) {
	domain := string(p)
	if _, of, ok := cutAddress(domain); ok {
		domain = of
	}
	if at, ok := s.local[mail.FoldDomain(domain)]; ok {
		return at, true
	}
	r := &s.c.Routes[i]
	for j := range s.c.Routes[:i] {
		o := &s.c.Routes[j]
		if !o.ByName && o.Transport != "" && s.coversTo(o, p) && s.coversRest(o, r) {
			return o.Origin, true
		}
	}
	return mail.Origin{}, false
}

func (s *search) coversTo(o *Route, p Pattern) bool {
	return len(o.To.Value) == 0 || slices.ContainsFunc(o.To.Value, func(q Pattern) bool { return s.more() && q.covers(p) })
}

// coversRest reports whether mail that fits the other conditions of r fits those
// of o.
func (s *search) coversRest(o, r *Route) bool {
	return coversAll(s, o.From.Value, r.From.Value, Pattern.covers) &&
		coversAll(s, o.Networks.Value, r.Networks.Value, func(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }) &&
		coversAll(s, o.Logins.Value, r.Logins.Value, func(a, b string) bool { return a == b || a == "*" })
}

// coversAll reports whether each entry of other is in one of own. An empty list
// stands for everything.
func coversAll[T any](s *search, own, other []T, covers func(a, b T) bool) bool {
	if len(own) == 0 {
		return true
	}
	for _, b := range other {
		if !slices.ContainsFunc(own, func(a T) bool { return s.more() && covers(a, b) }) {
			return false
		}
	}
	return len(other) > 0
}

func (s *search) more() bool {
	s.left--
	return s.left >= 0
}
