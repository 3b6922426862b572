package dispatch

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// letter is a message of which we hold recipients.
type letter struct {
	env  *mail.Envelope
	text text    // nil: it is in the spool
	to   []place // by index, ascending
	gone int     // so many of the first of them are gone, at least
}

// place is where a recipient is that we hold.
type place struct {
	index int
	phase phase
	lost  bool            // flying, and its lease is no longer ours
	was   *spool.Standing // nil: it was never tried
	in    *record         // if it is recording: what records it
}

// phase is a step on the way of a recipient, as the package comment has it.
type phase uint8

const (
	planning phase = iota
	inSchedule
	flying
	recording
	gone
)

// text is a content that is kept in memory.
type text []byte

var _ mail.InMemory = text(nil)

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }
func (t text) Size() int64                  { return int64(len(t)) }
func (t text) Octets() []byte               { return t }

// find returns the place of a recipient, nil if we do not hold it.
func (lt *letter) find(index int) *place {
	i, found := slices.BinarySearchFunc(lt.to, index, func(p place, index int) int { return cmp.Compare(p.index, index) })
	if !found {
		return nil
	}
	return &lt.to[i]
}

// suspect: the recipient may have got the message without our knowing.
func (p *place) suspect() bool { return p.was != nil && p.was.Suspect }

// state is what the schedule has to know of a recipient's past.
func (p *place) state() queue.State {
	if p.was == nil {
		return queue.State{}
	}
	return queue.State{
		Tries: p.was.Attempts, Next: p.was.Due, Reply: p.was.Last.Reply, Warned: p.was.DelayTold, Late: p.was.LateTold,
	}
}

// hold takes a lease into a letter, new or known, and returns the recipients
// that are to be planned, by index. One that is in flight already, for a lease
// that was lost, is not: its outcome counts for this lease.
func (l *loop) hold(lease *spool.Lease, bytes []byte) (*letter, []int) {
	lt := l.letters[lease.Envelope.ID]
	if lt == nil {
		lt = &letter{env: &lease.Envelope, to: make([]place, 0, len(lease.Recipients))}
		l.letters[lease.Envelope.ID] = lt
		l.keep(lt, bytes)
	}
	var fresh []int
	for i := range lease.Recipients {
		st := &lease.Recipients[i]
		if p := lt.find(st.Recipient); p != nil && p.phase == flying {
			p.lost, p.was = false, st // our lease was lost, and this is it again
			continue
		}
		fresh = append(fresh, st.Recipient)
		lt.put(place{index: st.Recipient, was: l.past(lease.Envelope.ID, st)})
	}
	return lt, fresh
}

// past is what is to be remembered of a standing: nil if there is nothing.
func (l *loop) past(id mail.ID, st *spool.Standing) *spool.Standing {
	if ref := (spool.Ref{ID: id, Recipient: st.Recipient}); l.doubted[ref] {
		delete(l.doubted, ref)
		st.Suspect = true
	}
	if st.Fate == 0 && st.Due.IsZero() && !st.Suspect && st.Order.Verb == 0 {
		return nil
	}
	return st
}

func (lt *letter) put(p place) {
	if n := len(lt.to); n == 0 || lt.to[n-1].index < p.index {
		lt.to = append(lt.to, p)
		return
	}
	i, found := slices.BinarySearchFunc(lt.to, p.index, func(p place, index int) int { return cmp.Compare(p.index, index) })
	lt.gone = min(lt.gone, i)
	if found {
		lt.to[i] = p
	} else {
		lt.to = slices.Insert(lt.to, i, p)
	}
}

// keep keeps the text of an arrival, if there is room.
func (l *loop) keep(lt *letter, bytes []byte) {
	if bytes != nil && l.kept+int64(len(bytes)) <= l.opts.KeepBytes {
		lt.text = bytes
		l.kept += int64(len(bytes))
	}
}

// prune forgets a letter of which nothing is held.
func (l *loop) prune(lt *letter) {
	for lt.gone < len(lt.to) && lt.to[lt.gone].phase == gone {
		lt.gone++
	}
	if lt.gone == len(lt.to) && l.letters[lt.env.ID] == lt {
		delete(l.letters, lt.env.ID)
		l.kept -= int64(len(lt.text))
	}
}

// giveBack gives up the leases of recipients that nothing is being done with.
func (l *loop) giveBack(lt *letter, indices []int) {
	for _, i := range indices {
		lt.find(i).phase = gone
		if !sabotage.Is("leases are not given back") {
			l.back = append(l.back, spool.Ref{ID: lt.env.ID, Recipient: i})
		}
	}
	l.prune(lt)
}

// giveUp gives back all recipients that nothing is being done with; and, if we
// are about to end, those whose report could not be written.
func (l *loop) giveUp() {
	for _, lt := range l.lettersByID() {
		var idle, queued []int
		for i := range lt.to {
			switch p := &lt.to[i]; p.phase {
			case inSchedule:
				queued = append(queued, p.index)
				idle = append(idle, p.index)
			case planning:
				idle = append(idle, p.index)
			}
		}
		l.unschedule(lt, queued)
		l.giveBack(lt, idle)
	}
	if !l.closing {
		return
	}
	l.stuck = slices.DeleteFunc(l.stuck, func(r *record) bool {
		if !r.alone {
			l.giveBack(r.letter, r.indices())
		}
		return !r.alone
	})
}

// unschedule takes recipients that are not in flight out of the schedule.
func (l *loop) unschedule(lt *letter, indices []int) {
	if len(indices) > 0 {
		l.sched.Withdraw(time.Now(), lt.env.ID, indices)
	}
}

// lettersByID are all letters, the oldest first: no map order is visible.
func (l *loop) lettersByID() []*letter {
	all := make([]*letter, 0, len(l.letters))
	for _, lt := range l.letters {
		all = append(all, lt)
	}
	slices.SortFunc(all, func(a, b *letter) int { return bytes.Compare(a.env.ID[:], b.env.ID[:]) })
	return all
}
