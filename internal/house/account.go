package house

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Account follows each message through each house, recipient by recipient, from the
// 250 to its fate, and complains as soon as something is not as promised:
//
//   - whom a client was told 250 of, a house answers for: the recipient is in its spool;
//   - who leaves a spool was taken by the next host, or is named in a report, or in an
//     operator's order; and stays away, unless a crash undid what was not durable yet;
//   - the next host gets what a house answers for, and gets it once. It gets a second copy only if the
//     road broke, or the house, between the final dot and the record of its reply; and
//     then the journal tells of it;
//   - a sender hears what RFC 3461 says, and no more.
//
// Which copy came of which is told by the Received fields. The account does not
// believe the houses: what the next host has, the next host says.
type Account struct {
	ledger *Ledger

	mu         sync.Mutex
	customs    map[custodyKey]*custody
	order      []*custody // by the time they began
	complaints []string
	stores     map[string]string         // by domain, the host where its mail ends
	breaks     map[[2]string][]time.Time // of roads, by who dialled and who answers
	nodes      map[string]string         // by node, the cluster
}

func newAccount(l *Ledger) *Account {
	return &Account{ledger: l, customs: map[custodyKey]*custody{}, breaks: map[[2]string][]time.Time{}, nodes: map[string]string{}}
}

// complain notes what is wrong. a.mu is held.
func (a *Account) complain(format string, args ...any) {
	if len(a.complaints) < 100 {
		a.complaints = append(a.complaints, time.Now().UTC().Format("02 15:04:05.000000000 ")+fmt.Sprintf(format, args...))
	}
}

// wrong notes what is wrong.
func (a *Account) wrong(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.complain(format, args...)
}

// belongs takes that a host is a node of a cluster.
func (a *Account) belongs(node, cluster string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes[node] = cluster
}

// excuse takes that a node of a cluster had a recipient when its epoch ended, and may have
// sent him the message.
func (a *Account) excuse(cluster string, ref spool.Ref) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.customs[custodyKey{cluster, ref.ID.String()}]; c != nil {
		c.to[ref.Recipient].excuses++
	}
}

// Complaints are what was wrong so far, in the order in which it was found.
func (a *Account) Complaints() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.complaints)
}

// hear takes an event of a house.
func (a *Account) hear(h *House, e event.Entry) {
	if _, refused := e.Event.(*event.Refused); refused {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if accepted, is := e.Event.(*event.Accepted); is {
		a.accepted(h, e, accepted)
		return
	}
	c := a.customs[custodyKey{h.Name, e.ID.String()}]
	if c == nil {
		a.complain("%s tells of %s, which it never accepted: %s", h.Name, e.ID, e.Line())
		return
	}
	switch t := e.Event.(type) {
	case *event.Attempt:
		a.outcome(c, e.At, t)
	case *event.Decided:
		a.outcome(c, e.At, (*event.Attempt)(t))
	case *event.SecondCopy:
		c.to[t.Recipient].doubts++
	case *event.Reported:
		a.reported(c, t)
	case *event.Ordered:
		if t.Order == spool.Remove.String() {
			c.to[t.Recipient].fate, c.to[t.Recipient].at = mail.Removed, e.At
		}
	}
}

// promised takes that a client was told 250 by a house, with the ID.
func (a *Account) promised(host, id, key string, to []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.customs[custodyKey{host, id}]
	if c == nil {
		a.complain("%s said 250 to letter %s, and knows nothing of %s", host, key, id)
		return
	}
	for _, t := range to {
		if !slices.ContainsFunc(c.to, func(ch charge) bool { return ch.original == t || ch.address == t }) {
			a.complain("%s said 250 to letter %s for %s, who is not in %s", host, key, t, id)
		}
	}
}

// Accepted is how many messages the houses have taken in, and for how many recipients.
func (a *Account) Accepted() (messages, recipients int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.customs {
		recipients += len(c.to)
	}
	return len(a.customs), recipients
}
