package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// record is a decision on its way into the spool.
type record struct {
	letter  *letter
	changes []queue.Change
	events  []event.Entry
	spool.Settlement
	owner spool.Owner // whose leases it ends
	again time.Time   // when the report is tried again that could not be written
	// alone: it is settled but for the report, which is committed by itself.
	alone bool
}

func (r *record) indices() []int {
	all := make([]int, len(r.changes))
	for i := range r.changes {
		all[i] = r.changes[i].Recipient
	}
	return all
}

// record has a decision recorded, with the reports that it owes. With that the
// lease ends; who is not done with is leased again when its time comes.
func (l *loop) record(d queue.Decision, now time.Time, tried bool) {
	lt := l.letters[d.Message]
	if lt == nil || len(d.Changes) == 0 {
		return
	}
	r := &record{letter: lt, owner: l.has, Settlement: spool.Settlement{ID: d.Message}}
	for i := range d.Changes {
		l.enter(r, &d.Changes[i], now, tried)
	}
	l.prune(lt)
	switch {
	case len(r.changes) == 0:
	case l.owesReport(r):
		l.report(r)
	default:
		l.settle(r)
	}
}

// enter puts a change into a record.
func (l *loop) enter(r *record, c *queue.Change, now time.Time, tried bool) {
	p := r.letter.find(c.Recipient)
	if p.lost {
		p.phase = gone
		l.mayHaveIt(r.letter, c)
		return
	}
	p.phase, p.in = recording, r
	r.changes = append(r.changes, *c)
	r.Results = append(r.Results, standing(p, c, tried))
	for _, e := range told(r.letter.env, p, c, tried) {
		r.tell(event.Entry{ID: r.ID, At: cmp.Or(c.At, now), Event: e})
	}
}

func (r *record) tell(e event.Entry) {
	r.events = append(r.events, e)
	r.Facts = append(r.Facts, spool.Fact{ID: e.ID, At: e.At, Data: event.Append(nil, e.Event)})
}

// standing is where a change leaves a recipient.
func standing(p *place, c *queue.Change, tried bool) spool.Standing {
	st := spool.Standing{Recipient: c.Recipient}
	if p.was != nil {
		st = *p.was
	}
	st.Fate, st.Due, st.Destination = c.Fate, c.Again, destination(c.Hop)
	if sabotage.Is("what was relayed is recorded as deferred") && st.Fate == mail.Relayed {
		st.Fate, st.Due = mail.Deferred, time.Now()
	}
	if sabotage.Is("what was deferred is recorded as relayed") && st.Fate == mail.Deferred {
		st.Fate = mail.Relayed
	}
	st.Attempts, st.DelayTold, st.LateTold = c.State.Tries, c.State.Warned, c.State.Late
	if sabotage.Is("that a delay was told is forgotten") {
		st.DelayTold = false
	}
	if tried {
		st.Last = c.Outcome
		st.Suspect = st.Suspect && c.OurLimit
	}
	return st
}

// told are the events that a change is told by.
func told(e *mail.Envelope, p *place, c *queue.Change, tried bool) []event.Event {
	to := e.To[c.Recipient].To
	attempt := event.Attempt{Outcome: c.Outcome, To: to, Hop: c.Hop, Next: c.Again, Owed: c.Report}
	if c.Fate.Final() {
		attempt.Next = time.Time{}
	}
	if !tried {
		decided := event.Decided(attempt)
		return []event.Event{&decided}
	}
	events := []event.Event{&attempt}
	if p.suspect() && !c.OurLimit && !sabotage.Is("a crash behind the dot is not in the journal") {
		events = append(events, &event.SecondCopy{
			Recipient: c.Recipient, To: to, Why: "it may have been sent before a stop of which no record was kept",
		})
	}
	if c.Unsure && !sabotage.Is("a cut behind the dot is not in the journal") {
		events = append(events, &event.SecondCopy{
			Recipient: c.Recipient, To: to, Why: "the link was cut between the final dot and its reply",
		})
	}
	return events
}

// mayHaveIt notes that a recipient may have got the message, which cannot be
// recorded: so it will be sent again.
func (l *loop) mayHaveIt(lt *letter, c *queue.Change) {
	if c.Fate != mail.Delivered && c.Fate != mail.Relayed && !c.Unsure {
		return
	}
	l.doubt(lt, c.Recipient)
	l.note(event.Entry{ID: lt.env.ID, At: c.At, Event: &event.SecondCopy{
		Recipient: c.Recipient, To: lt.env.To[c.Recipient].To, Why: "it was sent, and that could not be recorded",
	}})
}

// doubt has the next attempt of a recipient marked.
func (l *loop) doubt(lt *letter, recipient int) {
	if again := l.letters[lt.env.ID]; again != nil { // it may have been leased again meanwhile
		if p := again.find(recipient); p != nil && p.phase < recording {
			p.was = cmp.Or(p.was, &spool.Standing{Recipient: recipient})
			p.was.Suspect = true
			return
		}
	}
	if len(l.doubted) >= maxDoubted {
		clear(l.doubted)
	}
	l.doubted[spool.Ref{ID: lt.env.ID, Recipient: recipient}] = true
}

// maxDoubted is how many recipients are remembered as doubtful. All of them are
// in the journal.
const maxDoubted = 100_000

// unrecorded lets go of a record of which nobody knows whether it was recorded.
func (l *loop) unrecorded(r *record) {
	l.leave(r)
	for i := range r.changes {
		l.mayHaveIt(r.letter, &r.changes[i])
	}
	r.abort()
}

// leave takes the recipients of a record out of the window.
func (l *loop) leave(r *record) {
	for i := range r.changes {
		if p := r.letter.find(r.changes[i].Recipient); p.in == r {
			p.phase, p.in = gone, nil
		}
	}
	l.prune(r.letter)
}

// abort forgets the drafts of reports.
func (r *record) abort() {
	for i := range r.Reports {
		r.Reports[i].Draft.Abort()
	}
}

// settle puts a record into the next call to the spool.
func (l *loop) settle(r *record) {
	switch {
	case r.alone:
		l.stuck = append(l.stuck, r)
	case r.owner != l.has: // the leases were lost meanwhile
		l.unrecorded(r)
	default:
		l.batch = append(l.batch, r)
	}
}

// settled takes what became of a record.
func (l *loop) settled(r *record, s *spool.Settled, now time.Time) {
	again := l.anew(r, s)
	for i := range r.changes {
		if c := &r.changes[i]; c.Fate == mail.Deferred {
			l.lookAt(maxTime(c.Again, now))
		}
	}
	l.leave(r)
	for _, st := range s.Altered {
		if st.Fate != mail.Removed { // leased anew, with the order
			l.back = append(l.back, spool.Ref{ID: r.ID, Recipient: st.Recipient})
			l.lookAt(now)
		}
	}
	for _, e := range r.events {
		l.opts.Observe(e)
	}
	l.reported(r, s, now)
	if sabotage.Is("a report is sent twice") && len(r.Reports) > 0 {
		again = append(again, &record{letter: r.letter, owner: r.owner, alone: true, changes: r.changes, Settlement: spool.Settlement{ID: r.ID}})
	}
	for _, rest := range again {
		l.report(rest)
	}
}

// reported takes what became of the reports of a record.
func (l *loop) reported(r *record, s *spool.Settled, now time.Time) {
	for i := range r.Reports {
		switch {
		case i < len(s.Reports) && s.Reports[i].Committed:
			l.observeArrival(r.Reports[i].Commit.Facts)
			if lease := s.Reports[i].Lease; lease != nil {
				l.load(lease, nil, now)
			} else {
				l.lookAt(now)
			}
		default:
			r.Reports[i].Draft.Abort()
			l.note(event.Entry{ID: r.ID, At: now, Event: &event.Reported{
				To: r.letter.env.From, Action: mail.ReportFailed, Recipients: listed(r.owed()), Dropped: "an operator's order came first",
			}})
		}
	}
}

// observeArrival tells of a report that is ours now.
func (l *loop) observeArrival(facts []spool.Fact) {
	for i := range facts {
		if e, err := event.Parse(facts[i].Data); err == nil {
			l.opts.Observe(event.Entry{ID: facts[i].ID, At: facts[i].At, Event: e})
		}
	}
}

// anew makes records of what a report should have told that was set aside, because
// an operator's order came first for some of those it tells of. The results of
// the others were set aside with it, and are settled again with a report of their
// own; but what was delivered is recorded already, and only told.
func (l *loop) anew(r *record, s *spool.Settled) []*record {
	if len(s.Altered) == 0 || len(r.Reports) == 0 || s.Reports[0].Committed {
		return nil
	}
	settle := &record{letter: r.letter, owner: r.owner, Settlement: spool.Settlement{ID: r.ID}}
	tell := &record{letter: r.letter, owner: r.owner, alone: true, Settlement: spool.Settlement{ID: r.ID}}
	ordered := map[int]bool{}
	for i := range s.Altered {
		ordered[s.Altered[i].Recipient] = true
	}
	aside := map[int]bool{}
	for _, i := range s.Aside {
		aside[i] = true
	}
	for i := range r.changes {
		c := &r.changes[i]
		switch {
		case ordered[c.Recipient]:
		case aside[c.Recipient]:
			settle.changes = append(settle.changes, *c)
			settle.Results = append(settle.Results, r.Results[i])
			r.letter.find(c.Recipient).in = settle
		default:
			tell.changes = append(tell.changes, *c)
		}
	}
	return slices.DeleteFunc([]*record{settle, tell}, func(r *record) bool { return len(r.owed()) == 0 })
}
