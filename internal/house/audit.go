package house

import (
	"context"
	"slices"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// inSpool holds that the recipients of a message that are open are in the spool, and
// nobody else.
func (a *Account) inSpool(c *custody, id mail.ID) {
	there, err := c.house.standings(id, len(c.to))
	if err != nil {
		return // it has failed, and takes no more
	}
	for i := range c.to {
		if open := c.to[i].open(); open && !there[i] && !c.to[i].expanded {
			a.complain("%s answers for %s to %s, who is not in its spool", c.host, c.id, c.to[i].address)
		} else if !open && there[i] {
			a.complain("%s has %s to %s in its spool, though that is %s", c.host, c.id, c.to[i].address, c.to[i].fate)
		}
	}
}

// inSpoolNow holds one recipient against the spool.
func (a *Account) inSpoolNow(c *custody, i int) {
	id, err := mail.ParseID(c.id)
	if err != nil {
		a.complain("%s: %v", c.host, err)
	}
	there, err := c.house.standings(id, len(c.to))
	if open := c.to[i].open(); err == nil && open != there[i] {
		a.complain("%s has %s to %s in its spool: %v; its fate is %q", c.host, c.id, c.to[i].address, there[i], c.to[i].fate)
	}
}

// Audit holds all spools against the account, whole. Nothing may be under way: call
// it after synctest.Wait.
func (a *Account) Audit(houses ...*House) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range houses {
		if damaged, err := h.Engine().Damaged(context.Background(), mail.ID{}, 1); err == nil && len(damaged) > 0 {
			a.complain("%s takes %s for damaged: %s", h.Name, damaged[0].ID, damaged[0].What)
		}
		there := map[spool.Ref]bool{}
		for _, it := range h.items() {
			there[it.Ref()] = true
			if a.customs[custodyKey{h.Name, it.Envelope.ID.String()}] == nil {
				a.complain("%s has %s in its spool, which it never accepted", h.Name, it.Envelope.ID)
			}
		}
		for _, c := range a.order {
			if c.house == h {
				a.audit(c, there)
			}
		}
	}
	a.order = slices.DeleteFunc(a.order, (*custody).settled)
}

func (a *Account) audit(c *custody, there map[spool.Ref]bool) {
	id, _ := mail.ParseID(c.id) // it was one before
	for i := range c.to {
		if open := c.to[i].open(); open != there[spool.Ref{ID: id, Recipient: i}] {
			a.complain("audit: %s has %s to %s in its spool: %v; its fate is %q", c.host, c.id, c.to[i].address, !open, c.to[i].fate)
		}
	}
}

// Close holds what can be told only when all is over: nobody waits, the journal has
// every second copy, and everybody was told what was owed.
func (a *Account) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	told := map[string]int{} // reports by what they tell
	for _, c := range a.customs {
		for _, line := range c.about {
			if c.report {
				told[c.host+" "+line]++
			}
		}
	}
	for _, c := range a.customs {
		for i := range c.to {
			a.close(c, &c.to[i])
			for action, n := range c.to[i].reports {
				told[c.host+" "+action.String()+" "+c.to[i].address] -= n
			}
		}
	}
	for what, n := range told {
		if n != 0 {
			a.complain("reports: %s: %d more than the journal tells of", what, n)
		}
	}
	slices.Sort(a.complaints)
}

func (a *Account) close(c *custody, ch *charge) {
	if ch.open() {
		a.complain("%s still has %s to %s", c.host, c.id, ch.address)
	}
	if len(ch.handed) > 1 && ch.doubts == 0 {
		a.complain("%s sent %s to %s %d times, and its journal does not know", c.host, c.id, ch.address, len(ch.handed))
	}
	want := a.owed(c, ch)
	for _, action := range []mail.Action{mail.ReportFailed, mail.ReportRelayed, mail.ReportDelivered} {
		n := ch.reports[action]
		if double := c.from == "" && action == mail.ReportFailed; double && n <= 1 {
			continue // a report that could not be delivered goes to the postmaster
		}
		if owed := action == want; owed != (n == 1) || n > 1 {
			a.complain("%s told %d times that %s to %s is %s; its fate is %s", c.host, n, c.id, ch.address, action, ch.fate)
		}
	}
	wish := a.ledger.wish(c.key, ch.address)
	if n := ch.reports[mail.ReportDelayed]; n > 1 || n == 1 && (wish != 0 && wish&smtp.NotifyDelay == 0 || c.from == "") {
		a.complain("%s told %d times that %s to %s is delayed", c.host, n, c.id, ch.address)
	}
}
