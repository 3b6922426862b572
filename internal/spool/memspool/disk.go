package memspool

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// disk is what a crash leaves: messages, journal and states, with the indexes
// that follow from them, and how to undo what is not durable yet.
type disk struct {
	messages  map[mail.ID]*message
	order     set[mail.ID]
	fresh     set[spool.Ref]
	waiting   map[string]*destination
	postponed map[string]time.Time // only of destinations that are in waiting
	left      []string             // destinations that lost mail in this call, for tidy
	damaged   map[mail.ID]spool.Damage
	facts     []spool.Fact
	factBytes int64
	lastSeq   uint64
	states    map[stateKey]spool.State
	stateKeys set[stateKey]
	version   uint64
	stats     spool.Stats // the part that put keeps
	undo      []change
}

// message is never changed, only replaced.
type message struct {
	env       mail.Envelope
	content   []byte
	standings []spool.Standing
	places    []spool.Place // 0: done
	spoiled   bool
}

// destination is what waits under one name, and how many are held.
type destination struct {
	due  set[dueKey]
	held int
}

type dueKey struct {
	due time.Time
	ref spool.Ref
}

type stateKey struct{ room, key string }

// change is a lazy change and how to undo it.
type change struct {
	at   time.Time
	undo func(*disk)
}

func newDisk() disk {
	return disk{
		messages:  map[mail.ID]*message{},
		order:     set[mail.ID]{compare: func(a, b mail.ID) int { return bytes.Compare(a[:], b[:]) }},
		fresh:     set[spool.Ref]{compare: compareRefs},
		waiting:   map[string]*destination{},
		postponed: map[string]time.Time{},
		damaged:   map[mail.ID]spool.Damage{},
		states:    map[stateKey]spool.State{},
		stateKeys: set[stateKey]{compare: compareStateKeys},
	}
}

func compareRefs(a, b spool.Ref) int {
	return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(a.Recipient, b.Recipient))
}

func compareDue(a, b dueKey) int {
	return cmp.Or(a.due.Compare(b.due), compareRefs(a.ref, b.ref))
}

func compareStateKeys(a, b stateKey) int {
	return cmp.Or(strings.Compare(a.room, b.room), strings.Compare(a.key, b.key))
}

// synced makes everything durable.
func (d *disk) synced() { d.undo = nil }

// log keeps how to undo a change, and forgets what is durable by its age.
func (d *disk) log(undo func(*disk)) {
	now := time.Now()
	for len(d.undo) > 0 && now.Sub(d.undo[0].at) >= spool.Lag {
		d.undo = d.undo[1:]
	}
	d.undo = append(d.undo, change{now, undo})
}

// crash undoes what is not durable, the newest first.
func (d *disk) crash() {
	now := time.Now()
	for _, c := range slices.Backward(d.undo) {
		if now.Sub(c.at) < spool.Lag {
			c.undo(d)
		}
	}
	d.undo = nil
}

// put replaces the message of an ID; nil removes it.
func (d *disk) put(id mail.ID, m *message) {
	old := d.messages[id]
	d.set(id, m)
	d.log(func(d *disk) { d.set(id, old) })
	if old == nil {
		return
	}
	for i := range old.standings {
		d.left = append(d.left, old.standings[i].Destination)
	}
}

// tidy ends a call: a postponement lasts while anything waits. Not before the
// end, for what one settlement takes from a destination another may bring back.
func (d *disk) tidy() {
	for _, name := range d.left {
		if d.waiting[name] == nil {
			d.postpone(name, time.Time{})
		}
	}
	d.left = d.left[:0]
}

// postpone keeps an instant for a destination; zero forgets it.
func (d *disk) postpone(name string, until time.Time) {
	was := d.postponed[name]
	if was.Equal(until) {
		return
	}
	d.setPostponed(name, until)
	d.log(func(d *disk) { d.setPostponed(name, was) })
}

func (d *disk) setPostponed(name string, until time.Time) {
	if until.IsZero() {
		delete(d.postponed, name)
	} else {
		d.postponed[name] = until
	}
}

func (d *disk) set(id mail.ID, m *message) {
	if old := d.messages[id]; old != nil {
		d.count(old, -1)
		d.unindex(old)
	}
	if m == nil {
		delete(d.messages, id)
		d.order.remove(id)
		return
	}
	d.messages[id] = m
	d.order.add(id)
	d.count(m, +1)
	d.index(m)
}

func (d *disk) count(m *message, sign int64) {
	d.stats.Messages += sign
	d.stats.Bytes += sign * int64(len(m.content))
	for _, p := range m.places {
		switch p {
		case spool.Fresh:
			d.stats.Fresh += sign
		case spool.Waiting:
			d.stats.Waiting += sign
		case spool.Held:
			d.stats.Held += sign
		}
	}
}

func (d *disk) index(m *message) {
	for i, p := range m.places {
		ref, s := spool.Ref{ID: m.env.ID, Recipient: i}, &m.standings[i]
		switch p {
		case spool.Fresh:
			d.fresh.add(ref)
		case spool.Waiting:
			d.destination(s.Destination).due.add(dueKey{s.Due, ref})
		case spool.Held:
			d.destination(s.Destination).held++
		}
	}
}

func (d *disk) unindex(m *message) {
	for i, p := range m.places {
		ref, s := spool.Ref{ID: m.env.ID, Recipient: i}, &m.standings[i]
		switch p {
		case spool.Fresh:
			d.fresh.remove(ref)
		case spool.Waiting:
			d.destination(s.Destination).due.remove(dueKey{s.Due, ref})
		case spool.Held:
			d.destination(s.Destination).held--
		}
		if at := d.waiting[s.Destination]; at != nil && at.empty() {
			delete(d.waiting, s.Destination)
		}
	}
}

func (d *disk) destination(name string) *destination {
	at := d.waiting[name]
	if at == nil {
		at = &destination{due: set[dueKey]{compare: compareDue}}
		d.waiting[name] = at
	}
	return at
}

func (at *destination) empty() bool { return at.held == 0 && len(at.due.keys) == 0 }

// sortedDestinations are the names, so that no map order is visible.
func (d *disk) sortedDestinations() []string {
	names := make([]string, 0, len(d.waiting))
	for name := range d.waiting {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// suspectAll marks what may have been tried before an unclean stop.
func (d *disk) suspectAll(stop time.Time) {
	for _, id := range d.order.keys {
		m := d.messages[id].clone()
		for i, p := range m.places {
			if p == spool.Fresh || p != 0 && !m.standings[i].Due.After(stop) {
				m.standings[i].Suspect = true
			}
		}
		d.messages[id] = m
	}
}

func (m *message) clone() *message {
	c := *m
	c.standings, c.places = slices.Clone(m.standings), slices.Clone(m.places)
	return &c
}

func (m *message) done() bool {
	return !slices.ContainsFunc(m.places, func(p spool.Place) bool { return p != 0 })
}
