package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Table is rules in their order. It does not change.
type Table struct {
	rules []Rule

	// Where a domain or an address in it is named, or what is below a domain, or
	// anything else.
	at, below map[string][]entry
	other     []entry
}

// entry is one pattern in the To of a rule; noPattern: it has none and fits all.
type entry struct{ rule, pattern int }

const noPattern = -1

// New makes a table. The error names the origin of a rule that has no transport,
// or more than one destination.
func New(rules []Rule) (*Table, error) {
	t := &Table{rules: slices.Clone(rules), at: map[string][]entry{}, below: map[string][]entry{}}
	for i := range t.rules {
		if err := t.rules[i].check(); err != nil {
			return nil, err
		}
		t.index(i)
	}
	return t, nil
}

func (t *Table) index(rule int) {
	if len(t.rules[rule].To) == 0 {
		t.other = append(t.other, entry{rule, noPattern})
	}
	for i, p := range t.rules[rule].To {
		e := entry{rule, i}
		switch p.kind {
		case exact, address:
			t.at[p.domain] = append(t.at[p.domain], e)
		case below:
			t.below[p.domain] = append(t.below[p.domain], e)
		default:
			t.other = append(t.other, e)
		}
	}
}

// candidates returns the patterns that may fit an address of a domain, in the
// order of their rules.
func (t *Table) candidates(domain string) []entry {
	found := slices.Concat(t.at[domain], t.other)
	for rest := domain; ; {
		_, parent, more := strings.Cut(rest, ".")
		if !more {
			break
		}
		found = append(found, t.below[parent]...)
		rest = parent
	}
	slices.SortFunc(found, func(a, b entry) int { return cmp.Or(a.rule-b.rule, a.pattern-b.pattern) })
	return found
}

// pattern returns the pattern of an entry.
func (t *Table) pattern(e entry) *Pattern {
	if e.pattern == noPattern {
		return &Pattern{kind: all, text: "*"}
	}
	return &t.rules[e.rule].To[e.pattern]
}

// Route returns the next hop of a recipient. It is not ok if no rule fits, for
// which a table with a default has no occasion.
func (t *Table) Route(q Question) (hop mail.Hop, ok bool) {
	a := prepare(q)
	t.walk(&a, func(r *Rule, failed Condition) {
		if failed == None {
			hop, ok = r.hop(&a.to), true
		}
	})
	return hop, ok
}

// walk tells visit each rule that it looks at and what of it did not fit, up to
// the first that fits.
func (t *Table) walk(a *asked, visit func(r *Rule, failed Condition)) {
	for found := t.candidates(a.to.domain); len(found) > 0; {
		rule, fits := found[0].rule, false
		for len(found) > 0 && found[0].rule == rule {
			fits = fits || t.pattern(found[0]).matches(a.to)
			found = found[1:]
		}
		failed := To
		if fits {
			failed = t.rules[rule].fails(a)
		}
		visit(&t.rules[rule], failed)
		if failed == None {
			return
		}
	}
}

// Step is a rule that was looked at.
type Step struct {
	Route  string
	Origin mail.Origin
	Failed Condition // None: it fits, and the hop is its
	Asked  string    // what the failed condition was held against
	Hop    mail.Hop  // if it fits
}

// String tells the step: `route "partners" does not fit: the sender is
// a@b.example (main.hcl:12:1)`.
func (s Step) String() string {
	if s.Failed != None {
		return fmt.Sprintf("route %q does not fit: the %s is %s (%s)", s.Route, s.Failed, s.Asked, s.Origin)
	}
	to := ""
	if s.Hop.Destination != "" {
		to = " to " + s.Hop.Destination
	}
	return fmt.Sprintf("route %q fits: %s carries it%s (%s)", s.Route, s.Hop.Transport, to, s.Origin)
}

// Explain returns the rules that [Table.Route] looks at. The last fits, or none
// does. Rules for other domains are not looked at.
func (t *Table) Explain(q Question) []Step {
	var steps []Step
	a := prepare(q)
	t.walk(&a, func(r *Rule, failed Condition) {
		s := Step{Route: r.Name, Origin: r.Origin, Failed: failed, Asked: told(q, failed)}
		if failed == None {
			s.Hop = r.hop(&a.to)
		}
		steps = append(steps, s)
	})
	return steps
}

// told prints what a condition asks about.
func told(q Question, c Condition) string {
	switch {
	case c == To:
		return q.To.String()
	case c == From && q.From.IsNull():
		return "<>"
	case c == From:
		return q.From.String()
	case c == Source && q.Source.IsValid():
		return q.Source.String()
	case c == Source:
		return "this host"
	case c == Login && q.Login != "":
		return fmt.Sprintf("%q", q.Login)
	case c == Login:
		return "nobody's"
	}
	return ""
}
