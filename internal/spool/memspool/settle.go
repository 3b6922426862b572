package memspool

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// Settle implements [spool.Engine].
func (s *Spool) Settle(ctx context.Context, owner spool.Owner, settlements []spool.Settlement) ([]spool.Settled, error) {
	for i := range settlements {
		if err := settlements[i].Check(); err != nil {
			return nil, err
		}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	settled := make([]spool.Settled, len(settlements))
	durable := false
	for i := range settlements {
		settled[i] = s.settle(owner, &settlements[i])
		durable = durable || settlements[i].Durable()
	}
	if durable {
		s.disk.synced()
	}
	return settled, nil
}

func (s *Spool) settle(owner spool.Owner, t *spool.Settlement) spool.Settled {
	j := s.book.Judge(owner, t, time.Now())
	if sabotage.Is("a late result is taken") && j.Err != nil && j.Reports == nil {
		j = spool.Judgement{Results: t.Results, Reports: make([]bool, len(t.Reports))}
	}
	done := spool.Settled{Err: j.Err, Altered: j.Altered, Aside: j.Aside, Reports: make([]spool.Reported, len(t.Reports))}
	if j.Reports == nil {
		return done
	}
	for _, r := range j.Results {
		if m := s.disk.messages[t.ID]; m != nil {
			r.Held = false
			s.disk.move(m, r, placeOf(&r))
		}
	}
	s.record(t.ID, t.Facts)
	for i, yes := range j.Reports {
		if d, ours := t.Reports[i].Draft.(*draft); yes && ours && !d.ended && !sabotage.Is("a report is not committed with its record") {
			done.Reports[i] = spool.Reported{Committed: true, Lease: d.commit(&t.Reports[i].Commit)}
			d.end()
		}
	}
	return done
}

func placeOf(st *spool.Standing) spool.Place {
	switch {
	case st.Fate.Final():
		return 0
	case st.Held:
		return spool.Held
	}
	return spool.Waiting
}

// List implements [spool.Engine].
func (s *Spool) List(ctx context.Context, q spool.Query) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.mu.Unlock()
	s.book.Lapse(time.Now())
	return s.list(&q), nil
}

func (s *Spool) list(q *spool.Query) spool.Page {
	var page spool.Page
	for _, id := range s.disk.order.from(q.After.ID) {
		m := s.disk.messages[id]
		for i, place := range m.places {
			if place == 0 || id == q.After.ID && i <= q.After.Recipient {
				continue
			}
			it := spool.Item{Envelope: &m.env, Standing: s.shown(m, i), Place: place, Owner: s.book.Owner(spool.Ref{ID: id, Recipient: i})}
			if !q.Filter.Match(&it) {
				continue
			}
			if len(page.Items) == spool.Limit(q.Limit) {
				page.More = true
				return page
			}
			page.Items = append(page.Items, it)
			page.Next = spool.Cursor{ID: id, Recipient: i}
		}
	}
	return page
}

// Alter implements [spool.Engine].
func (s *Spool) Alter(ctx context.Context, q spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.mu.Unlock()
	s.book.Lapse(time.Now())
	page := s.list(&q)
	for i := range page.Items {
		s.alter(&page.Items[i], &order, fact)
	}
	if len(page.Items) > 0 {
		s.wake("")
	}
	s.disk.synced()
	return page, nil
}

func (s *Spool) alter(it *spool.Item, order *spool.Order, fact func(spool.Item) []byte) {
	now, changed := order.Apply(it.Standing)
	if !changed {
		return
	}
	ref := it.Ref()
	s.disk.move(s.disk.messages[ref.ID], now, placeOf(&now))
	s.book.Alter(ref, now)
	if fact != nil {
		s.record(ref.ID, []spool.Fact{{At: order.At, Data: fact(*it)}})
	}
}
