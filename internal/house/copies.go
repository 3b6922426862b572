package house

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// took takes that a peer has a message.
func (a *Account) took(t Taken) {
	a.mu.Lock()
	defer a.mu.Unlock()
	host, domain := strings.TrimPrefix(t.By, "mx."), t.To[strings.LastIndexByte(t.To, '@')+1:]
	if host != domain && host != a.stores[domain] {
		a.complain("%s got mail for %s, which has another host", host, t.To)
	}
	if trace := traces(t.Text); len(trace) > 0 {
		a.taken(trace[0], t.To, host, t.At)
	}
}

// taken takes that a host has a copy of what another has in custody.
func (a *Account) taken(parent custodyKey, address, host string, at time.Time) {
	c := a.customs[parent]
	if c == nil {
		a.complain("%s got %s of %s, which that never accepted", host, parent.id, parent.host)
		return
	}
	i := slices.IndexFunc(c.to, func(ch charge) bool { return strings.EqualFold(ch.address, address) })
	if i < 0 {
		a.complain("%s got %s of %s for %s, for whom it was not", host, c.id, c.host, address)
		return
	}
	ch := &c.to[i]
	if !ch.open() && ch.excuses == 0 {
		a.complain("%s got %s of %s for %s, which was %s", host, c.id, c.host, address, ch.fate)
	}
	if n := len(ch.handed); n > 0 && !a.excused(c, ch) {
		a.complain("%s got %s of %s for %s once more, and nothing happened after %s had it at %s",
			host, c.id, c.host, address, ch.handed[n-1].to, ch.handed[n-1].at.UTC().Format("15:04:05.000"))
	}
	ch.handed = append(ch.handed, handing{at: at, to: host})
}

// broke takes that a road broke, from who dialled ("": from all).
func (a *Account) broke(from, to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := [2]string{cmp.Or(a.nodes[from], from), cmp.Or(a.nodes[to], to)}
	a.breaks[k] = append(a.breaks[k], time.Now())
}

// slowest is how long a host may think about a text before it takes it.
const slowest = 5 * time.Second

// excused: of the copies that were taken so far, whoever sent them may not know.
func (a *Account) excused(c *custody, ch *charge) bool {
	known := 0
	for _, h := range ch.handed {
		if !slices.ContainsFunc(ch.crashes, func(crash time.Time) bool { return a.forgot(c, h, crash) }) {
			known++
		}
	}
	return known <= ch.unsure+ch.excuses
}

// forgot: a crash came before a house could record that a copy was taken.
func (a *Account) forgot(c *custody, h handing, crash time.Time) bool {
	if crash.Before(h.at) {
		return h.at.Sub(crash) <= slowest // the text was there, and the host thought about it
	}
	if crash.Sub(h.at) <= c.lags() {
		return true
	}
	broke := func(t time.Time) bool { return !t.Before(h.at.Add(-lagging)) && !t.After(crash) }
	return slices.ContainsFunc(a.breaks[[2]string{c.host, h.to}], broke) || slices.ContainsFunc(a.breaks[[2]string{"", h.to}], broke)
}

// Copies are how many second copies there were, all of them excused.
func (a *Account) Copies() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.customs {
		for i := range c.to {
			n += max(0, len(c.to[i].handed)-1)
		}
	}
	return n
}
