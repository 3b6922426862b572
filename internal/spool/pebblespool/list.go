package pebblespool

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// maxListed bounds how many messages one List or Alter looks at.
const maxListed = 10_000

// List implements [spool.Engine].
func (s *Spool) List(ctx context.Context, q spool.Query) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.leave()
	if err := s.lapse(); err != nil {
		return spool.Page{}, err
	}
	l := s.newLister(&q)
	err := l.run()
	l.tell()
	return l.page, err
}

func (s *Spool) newLister(q *spool.Query) *lister {
	// Counted before the snapshot is taken: who is settled meanwhile is fresh in it.
	fresh := s.stats[spool.Fresh].Load() > 0
	return &lister{s: s, q: q, limit: spool.Limit(q.Limit), fresh: fresh, hints: hintsOf(&q.Filter)}
}

func (l *lister) run() error {
	s, q := l.s, l.q
	snap := s.db.NewSnapshot() // a message and its recipients as they were at one instant
	defer snap.Close()
	l.snap = snap
	if l.sifts() {
		return l.sift()
	}
	from, to := idKey(kEnvelope, q.After.ID), []byte{kEnvelope + 1}
	if id := q.Filter.ID; !id.IsZero() {
		to = append(idKey(kEnvelope, id), 0)
		if before(q.After.ID, id) {
			from = idKey(kEnvelope, id)
		}
	}
	var inner error
	err := s.scan(snap, from, to, func(key, value []byte) bool {
		inner = l.message(idOf(key), value)
		return inner == nil && !l.page.More
	})
	return errors.Join(err, inner)
}

// tell puts what was found damaged in quarantine. The index is not held.
func (l *lister) tell() {
	for id, what := range l.damaged {
		l.s.damage(id, what)
	}
}

// lister is one call of List or Alter.
type lister struct {
	s       *Spool
	q       *spool.Query
	limit   int
	snap    pebble.Reader
	fresh   bool // there are first flights
	hints   []hint
	small   []byte // memory of hinted
	looks   int
	sifted  int
	page    spool.Page
	damaged map[mail.ID]string
}

func (l *lister) message(id mail.ID, value []byte) error {
	if !l.hinted(value) {
		return l.pass(id)
	}
	if l.looks++; l.looks > maxListed {
		l.page.More = true
		return nil
	}
	if l.s.hidden(id) || l.s.quarantined(id) {
		return nil
	}
	env, h, err := readEnvelope(id, value)
	if err != nil {
		return l.damage(id, "envelope: "+err.Error())
	}
	rec := record{env, h}
	if l.q.Filter.MatchEnvelope(env) {
		if err := l.recipients(rec); err != nil || l.page.More {
			return err
		}
	}
	l.page.Next = spool.Cursor{ID: id, Recipient: h.recipients}
	return nil
}

// damage puts a message in quarantine at the end of the call.
func (l *lister) damage(id mail.ID, what string) error {
	if l.damaged == nil {
		l.damaged = map[mail.ID]string{}
	}
	l.damaged[id] = what
	return nil
}

func (l *lister) recipients(rec record) error {
	for i := range rec.env.To {
		if rec.env.ID == l.q.After.ID && i <= l.q.After.Recipient || !l.q.Filter.MatchRecipient(rec.env, i) {
			continue
		}
		it, err := l.item(rec, i)
		if err != nil {
			return err
		}
		if it.Place == 0 || !l.q.Filter.Match(&it) {
			continue
		}
		if len(l.page.Items) == l.limit {
			l.page.More = true
			return nil
		}
		l.page.Items = append(l.page.Items, it)
		l.page.Next = spool.Cursor{ID: rec.env.ID, Recipient: i}
	}
	return nil
}

// item reads one recipient; its place is 0 if it is done.
func (l *lister) item(rec record, i int) (spool.Item, error) {
	ref := spool.Ref{ID: rec.env.ID, Recipient: i}
	it := spool.Item{Envelope: rec.env}
	b, err := get(l.snap, refKey(kStanding, ref))
	switch {
	case err != nil:
		return it, err
	case b == nil:
		it.Place, it.Standing = spool.Fresh, l.s.freshStanding(rec, i)
	default:
		st, err := readStanding(ref, b)
		if err != nil {
			return it, l.damage(ref.ID, "recipient: "+err.Error())
		}
		it.Place, it.Standing = st.place(), l.s.shownStanding(ref.ID, st)
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	it.Owner = l.s.book.Owner(ref)
	return it, nil
}

// Alter implements [spool.Engine].
func (s *Spool) Alter(ctx context.Context, q spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.leave()
	if err := s.lapse(); err != nil {
		return spool.Page{}, err
	}
	l := s.newLister(&q)
	err := l.alter(&order, fact)
	l.tell()
	if err != nil {
		return spool.Page{}, err
	}
	return l.page, s.sync()
}

// alter lists a page and gives the order about it.
func (l *lister) alter(order *spool.Order, fact func(spool.Item) []byte) error {
	s, page := l.s, &l.page
	s.index <- struct{}{}
	defer func() { <-s.index }()
	t := s.newTx()
	defer t.close()
	if err := l.run(); err != nil {
		return err
	}
	for i := range page.Items {
		if err := t.alter(&page.Items[i], order, fact); err != nil {
			return err
		}
		if page.Items[i].Owner != (spool.Owner{}) { // it may be due later now than when it was leased
			t.stamp(time.Now())
		}
	}
	if err := t.apply(); err != nil {
		return err
	}
	for i := range page.Items { // only now, since an owner that is told must find it so
		if now, changed := order.Apply(page.Items[i].Standing); changed {
			s.mu.Lock()
			s.book.Alter(page.Items[i].Ref(), now)
			s.mu.Unlock()
		}
	}
	return nil
}

func (t *tx) alter(it *spool.Item, order *spool.Order, fact func(spool.Item) []byte) error {
	now, changed := order.Apply(it.Standing)
	if !changed {
		return nil
	}
	var old *standing
	if it.Place != spool.Fresh {
		old = &standing{Standing: it.Standing}
	}
	if fact != nil {
		t.tell(it.Envelope.ID, []spool.Fact{{At: order.At, Data: fact(*it)}})
	}
	return t.move(it.Ref(), old, &standing{Standing: now})
}
