package dispatch

import (
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
)

// What planted bugs (internal/sabotage) send in place of what they should. It stands here,
// behind the question whether they are planted: a walk over the whole window costs each
// delivery as much if nothing is done on it.

// anyText is the text of any letter, else the right one.
func (l *loop) anyText(right mail.Content) mail.Content {
	for _, lt := range l.letters {
		if lt.text != nil {
			return lt.text
		}
	}
	return right
}

// anyPlan is the plan of any hop, else the right one.
func (l *loop) anyPlan(right *transport.Plan) *transport.Plan {
	for _, p := range l.plans {
		if len(p.Hosts) > 0 {
			made := p.Plan
			return &made
		}
	}
	return right
}
