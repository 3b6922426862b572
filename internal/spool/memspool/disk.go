package memspool

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// disk is what a crash leaves: messages, journal and states, with the indexes
// that follow from them, and how to undo what is not durable yet.
type disk struct {
	messages  map[mail.ID]*message
	order     set[mail.ID]
	fresh     set[mail.ID] // messages that have fresh recipients
	waiting   map[string]*destination
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

// message is one with its recipients. Only move changes where they are.
type message struct {
	env       mail.Envelope
	content   []byte
	standings []spool.Standing
	places    []spool.Place // 0: done
	open      int           // recipients that are not done
	fresh     int
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
		order:     set[mail.ID]{compare: compareIDs},
		fresh:     set[mail.ID]{compare: compareIDs},
		waiting:   map[string]*destination{},
		damaged:   map[mail.ID]spool.Damage{},
		states:    map[stateKey]spool.State{},
		stateKeys: set[stateKey]{compare: compareStateKeys},
	}
}

func compareIDs(a, b mail.ID) int { return bytes.Compare(a[:], b[:]) }

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

// add puts a new message on the disk.
func (d *disk) add(m *message) {
	d.insert(m)
	d.log(func(d *disk) { d.forget(m.env.ID) })
}

// move puts a recipient where it stands now. The message goes with the last that
// is done. What it costs does not depend on how many there are.
func (d *disk) move(m *message, now spool.Standing, to spool.Place) {
	was, from := m.standings[now.Recipient], m.places[now.Recipient]
	d.place(m, now, to)
	d.log(func(d *disk) {
		if d.messages[m.env.ID] == m { // and not in quarantine
			d.place(m, was, from)
		}
	})
	if m.open == 0 {
		d.forget(m.env.ID)
		d.log(func(d *disk) { d.insert(m) })
	}
}

// insert makes a message known, with all of its recipients.
func (d *disk) insert(m *message) {
	d.messages[m.env.ID] = m
	d.order.add(m.env.ID)
	d.stats.Messages++
	d.stats.Bytes += int64(len(m.content))
	m.open, m.fresh = 0, 0
	for i := range m.places {
		d.enter(m, i)
	}
}

// forget takes a message out, with all of its recipients.
func (d *disk) forget(id mail.ID) {
	m := d.messages[id]
	for i := range m.places {
		d.leave(m, i)
	}
	delete(d.messages, id)
	d.order.remove(id)
	d.stats.Messages--
	d.stats.Bytes -= int64(len(m.content))
}

func (d *disk) place(m *message, now spool.Standing, to spool.Place) {
	d.leave(m, now.Recipient)
	m.standings[now.Recipient], m.places[now.Recipient] = now, to
	d.enter(m, now.Recipient)
}

// enter puts a recipient into the index and the counts; leave takes it out.
func (d *disk) enter(m *message, i int) {
	ref, st := spool.Ref{ID: m.env.ID, Recipient: i}, &m.standings[i]
	switch m.places[i] {
	case spool.Fresh:
		if m.fresh++; m.fresh == 1 {
			d.fresh.add(m.env.ID)
		}
	case spool.Waiting:
		d.destination(st.Destination).due.add(dueKey{st.Due, ref})
	case spool.Held:
		d.destination(st.Destination).held++
	}
	d.count(m, i, +1)
}

func (d *disk) leave(m *message, i int) {
	ref, st := spool.Ref{ID: m.env.ID, Recipient: i}, &m.standings[i]
	switch m.places[i] {
	case spool.Fresh:
		if m.fresh--; m.fresh == 0 {
			d.fresh.remove(m.env.ID)
		}
	case spool.Waiting:
		d.destination(st.Destination).due.remove(dueKey{st.Due, ref})
	case spool.Held:
		d.destination(st.Destination).held--
	}
	d.count(m, i, -1)
	if at := d.waiting[st.Destination]; at != nil && at.empty() {
		delete(d.waiting, st.Destination)
	}
}

func (d *disk) count(m *message, i, sign int) {
	switch m.places[i] {
	case spool.Fresh:
		d.stats.Fresh += int64(sign)
	case spool.Waiting:
		d.stats.Waiting += int64(sign)
	case spool.Held:
		d.stats.Held += int64(sign)
	default:
		return
	}
	m.open += sign
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
	for _, m := range d.messages {
		for i, p := range m.places {
			if sabotage.Is("after a crash nobody is suspect") {
				continue
			}
			if p == spool.Fresh || p != 0 && !m.standings[i].Due.After(stop) {
				m.standings[i].Suspect = true
			}
		}
	}
}
