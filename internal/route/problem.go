package route

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
)

// Problem is something of a rule that can never fit, because rules before it fit
// whatever it wants.
type Problem struct {
	Route    string
	Origin   mail.Origin
	Pattern  string // the pattern of To that is never reached; "": all of the rule
	ByRoute  string // the rule that is in the way
	ByOrigin mail.Origin
}

// String tells the problem: `main.hcl:20:1: route "b" is never used: route "a" at
// main.hcl:10:1 has all of its mail`.
func (p Problem) String() string {
	what := "is never used"
	if p.Pattern != "" {
		what = fmt.Sprintf("is never used for %q", p.Pattern)
	}
	return fmt.Sprintf("%s: route %q %s: route %q at %s has all of that mail", p.Origin, p.Route, what, p.ByRoute, p.ByOrigin)
}

// Problems finds the rules, and the patterns of their To, that no recipient
// reaches: each is covered by a single rule before it. (What several rules cover
// only together is not found.)
func (t *Table) Problems() []Problem {
	var all []Problem
	for i := range t.rules {
		all = append(all, t.problemsOf(i)...)
	}
	return all
}

func (t *Table) problemsOf(i int) []Problem {
	r := &t.rules[i]
	to := r.To
	if len(to) == 0 {
		to = []Pattern{{kind: all, text: "*"}}
	}
	var found []Problem
	for k := range to {
		if by, ok := t.shadow(i, &to[k]); ok {
			found = append(found, Problem{r.Name, r.Origin, to[k].text, by.Name, by.Origin})
		}
	}
	if len(found) == len(to) {
		found[0].Pattern = ""
		return found[:1]
	}
	return found
}

// shadow finds a rule before i that has all of i's mail to p.
func (t *Table) shadow(i int, p *Pattern) (*Rule, bool) {
	for _, e := range t.around(p) {
		if e.rule >= i {
			break
		}
		if r := &t.rules[e.rule]; t.pattern(e).covers(p) && r.coversRest(&t.rules[i]) {
			return r, true
		}
	}
	return nil, false
}

// around returns the patterns that may cover a pattern, in the order of their
// rules.
func (t *Table) around(p *Pattern) []entry {
	switch p.kind {
	case exact, address:
		return t.candidates(p.domain)
	case below:
		return t.candidates("x." + p.domain)
	}
	return t.other
}

// coversRest reports whether every message that fits the other conditions of o
// fits those of r.
func (r *Rule) coversRest(o *Rule) bool {
	return coversAll(r.From, o.From, func(a, b Pattern) bool { return a.covers(&b) }) &&
		coversAll(r.Source, o.Source, func(a, b netip.Prefix) bool { return a.Bits() <= b.Bits() && a.Contains(b.Addr()) }) &&
		coversAll(r.Login, o.Login, func(a, b string) bool { return a == b || a == "*" })
}

// coversAll reports whether each entry of other is covered by one of own. An
// empty list stands for everything.
func coversAll[T any](own, other []T, covers func(a, b T) bool) bool {
	if len(own) == 0 {
		return true
	}
	for _, b := range other {
		if !slices.ContainsFunc(own, func(a T) bool { return covers(a, b) }) {
			return false
		}
	}
	return len(other) > 0
}
