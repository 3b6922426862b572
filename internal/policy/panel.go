package policy

import (
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Panel is the checks that a listener asks. It is used by many connections at once.
type Panel struct {
	// Hostname stands in our Authentication-Results (the authserv-id). Needed.
	Hostname string
	// Checks are asked in order: those that cost little come first.
	Checks []Check
	// Limit is how far the listener goes at most. nil: as far as the checks want.
	Limit *Limit
	// AtMost is how far mail to somebody goes at most; nil, or a nil answer: as far as the checks
	// want.
	AtMost func(to smtp.Path) *Limit
}

// Limit is the severest that policy may do.
type Limit struct {
	Action Action
	Origin mail.Origin
}

// Explain tells what the panel would do, in the order in which it is asked.
func (p *Panel) Explain() []Line {
	var lines []Line
	for _, c := range p.Checks {
		if x, is := c.(Explainer); is {
			lines = append(lines, x.Explain()...)
		}
	}
	return lines
}

// limitOf is the mildest limit that holds for mail to somebody, nil for none.
func (p *Panel) limitOf(to smtp.Path) *Limit {
	l := p.Limit
	if p.AtMost == nil {
		return l
	}
	if own := p.AtMost(to); own != nil && (l == nil || own.Action < l.Action) {
		l = own
	}
	return l
}

// LimitOf is how far policy goes at most with mail to somebody, nil if there is no limit.
func (p *Panel) LimitOf(to smtp.Path) *Limit { return p.limitOf(to) }
