package house

import (
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// crashed holds what a crash has left of a spool against what was promised.
func (a *Account) crashed(h *House, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	there := map[spool.Ref]bool{}
	for _, it := range h.items() {
		there[it.Ref()] = true
		a.adopt(h, &it, at)
	}
	for _, c := range a.order {
		if c.house != h {
			continue
		}
		id, _ := mail.ParseID(c.id) // it was one before
		for i := range c.to {
			a.survived(c, i, there[spool.Ref{ID: id, Recipient: i}], at)
		}
	}
}

// survived holds one recipient against what a crash has left.
func (a *Account) survived(c *custody, i int, there bool, at time.Time) {
	ch := &c.to[i]
	switch {
	case ch.open() && !there && c.doubted:
		ch.fate = mail.Removed // what was adopted may go with the next crash: nobody was told 250
	case ch.open() && !there && !a.recall(c, i):
		a.complain("%s has lost %s to %s in a crash", c.host, c.id, ch.address)
		ch.fate = mail.Removed
	case !ch.open() && there:
		lazy := ch.fate == mail.Relayed || ch.fate == mail.Delivered
		if !lazy || at.Sub(ch.at) > c.lags() {
			a.complain("%s has %s to %s again after a crash, which was %s %v before", c.host, c.id, ch.address, ch.fate, at.Sub(ch.at))
		}
		ch.fate = 0
	}
	if there {
		ch.crashes = append(ch.crashes, at)
	}
}

// recall takes from the journal what a house could not tell any more: the fate of a
// recipient who is not in its spool.
func (a *Account) recall(c *custody, i int) bool {
	for _, e := range c.house.journal(c.id) {
		switch t := e.Event.(type) {
		case *event.Attempt:
			if t.Outcome.Recipient == i && t.Outcome.Fate.Final() {
				a.outcome(c, e.At, t)
			}
		case *event.Decided:
			if t.Outcome.Recipient == i && t.Outcome.Fate.Final() {
				a.outcome(c, e.At, (*event.Attempt)(t))
			}
		case *event.Ordered:
			if t.Recipient == i && t.Order == spool.Remove.String() {
				c.to[i].fate, c.to[i].at = mail.Removed, e.At
			}
		case *event.Reported:
			if slices.Contains(t.Recipients, i) && !c.to[i].open() {
				alone := *t
				alone.Recipients = []int{i}
				a.reported(c, &alone)
			}
		}
	}
	return !c.to[i].open()
}
