package pgspool

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Alter implements [spool.Engine].
func (s *Spool) Alter(ctx context.Context, q spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return spool.Page{}, err
	}
	var a *alterer
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a = &alterer{lister: lister{s: s, q: &q, limit: spool.Limit(q.Limit)}, order: &order, fact: fact, rows: map[spool.Ref]*settled{}}
		return a.run(ctx, tx)
	})
	if err != nil {
		return spool.Page{}, fmt.Errorf("alter: %w", err)
	}
	s.tell()
	return a.page, a.tell()
}

// alterer is one try of Alter.
type alterer struct {
	lister
	order    *spool.Order
	fact     func(spool.Item) []byte
	rows     map[spool.Ref]*settled
	messages map[mail.ID]*gone
	notes    []note
	tally    tally
}

// run lists a page, locks what is in it, and gives the order about what is still so.
func (a *alterer) run(ctx context.Context, tx pgx.Tx) error {
	if err := a.lister.run(ctx, tx); err != nil {
		return err
	}
	locked, err := a.lock(ctx, tx)
	if err != nil {
		return err
	}
	items := a.page.Items
	a.page.Items = nil
	for i := range items {
		x := locked[items[i].Ref()]
		if x == nil {
			continue
		}
		it, ok := a.item(&x.row, sealed{env: items[i].Envelope})
		if !ok || x.place == removed || x.place == quarantined || !a.q.Filter.Match(&it) {
			continue
		}
		a.page.Items = append(a.page.Items, it)
		a.give(x, &it)
	}
	var b pgx.Batch
	queueRows(&b, a.rows, a.s.life)
	queueGone(&b, a.messages)
	queueFacts(&b, a.notes, &a.tally)
	a.tally.queue(&b)
	return tx.SendBatch(ctx, &b).Close()
}

func (a *alterer) lock(ctx context.Context, tx pgx.Tx) (map[spool.Ref]*settled, error) {
	refs := make([]spool.Ref, len(a.page.Items))
	for i := range a.page.Items {
		refs[i] = a.page.Items[i].Ref()
	}
	r := names(refs)
	found, err := tx.Query(ctx, readNamed, r.ids, r.ns)
	if err != nil {
		return nil, err
	}
	t := settler{s: a.s, rows: map[spool.Ref]*settled{}}
	return t.rows, t.scan(found)
}

// give does the order to one recipient. One that is leased is to be told to its owner.
func (a *alterer) give(x *settled, it *spool.Item) {
	now, changed := a.order.Apply(it.Standing)
	if !changed {
		return
	}
	a.rows[x.ref] = x
	if a.fact != nil {
		a.notes = append(a.notes, note{x.ref.ID, []spool.Fact{{At: a.order.At, Data: a.fact(*it)}}})
	}
	a.tally.places[x.place]--
	x.changed, x.now = true, &now
	x.place, x.due, x.suspect, x.altered = placeOf(&now), spool.Nanos(now.Due), now.Suspect, x.epoch != 0
	if x.place != removed {
		a.tally.places[x.place]++
		return
	}
	x.delete = x.epoch == 0
	t := settler{messages: a.messages}
	t.finishOne(x)
	a.messages = t.messages
}
