package pgspool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

const (
	maxLooks = 20_000 // first flights that one Lease looks at
	pageSize = 4000   // of them, and of what is due, in one query
)

// Lease implements [spool.Engine]. What others are taking at the same instant is
// passed over, and there may be more then.
func (s *Spool) Lease(ctx context.Context, owner spool.Owner, want spool.Want) (spool.Taken, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Taken{}, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return spool.Taken{}, fmt.Errorf("lease: %w", err)
	}
	var h *haul
	err := s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		h = &haul{s: s, ctx: ctx, tx: tx, owner: owner, want: want, now: now(), at: map[mail.ID]int{}, room: map[string]int{}}
		return h.run()
	})
	if err != nil {
		return spool.Taken{}, fmt.Errorf("lease: %w", err)
	}
	s.mu.Lock()
	s.mark = h.mark
	s.mu.Unlock()
	for id, what := range h.damaged {
		if err := s.quarantine(id, what); err != nil {
			return spool.Taken{}, err
		}
	}
	return h.taken, nil
}

// haul is one call of Lease.
type haul struct {
	s     *Spool
	ctx   context.Context
	tx    pgx.Tx
	owner spool.Owner
	want  spool.Want
	now   int64
	n     int            // taken so far
	room  map[string]int // what the owner may still take, by destination
	mark  spool.Ref      // where the next search for first flights begins

	taken   spool.Taken
	at      map[mail.ID]int // the lease of a message in taken
	damaged map[mail.ID]string
}

func (h *haul) run() error {
	if err := holds(h.ctx, h.tx, h.owner); err != nil {
		return err
	}
	if err := h.fresh(); err != nil {
		return err
	}
	if err := h.waiting(); err != nil {
		return err
	}
	return h.next()
}

// candidate is a recipient that could be taken.
type candidate struct {
	ref         spool.Ref
	destination string
	due         int64
}

func scanCandidate(row pgx.CollectableRow) (c candidate, err error) {
	var id, destination []byte
	var n int32
	err = row.Scan(&id, &n, &destination, &c.due)
	copy(c.ref.ID[:], id)
	c.ref.Recipient, c.destination = int(n), string(destination)
	return c, err
}

func (h *haul) candidates(sql string, args ...any) ([]candidate, error) {
	rows, err := h.tx.Query(h.ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanCandidate)
}

// fresh takes first flights by age: from where the last search stopped to the end, and
// then from the start to there.
func (h *haul) fresh() error {
	h.s.mu.Lock()
	start := h.s.mark
	h.s.mu.Unlock()
	looks, from := 0, start
	for wrapped := start == (spool.Ref{}); ; {
		page, err := h.candidates("SELECT id, n, destination, due FROM recipient WHERE place = 1 AND epoch = 0 AND (id, n) > ($1, $2) ORDER BY id, n LIMIT $3",
			from.ID[:], from.Recipient-1, pageSize)
		if err != nil {
			return err
		}
		stopped, err := h.takeSome(page, spool.Fresh)
		looks += len(page)
		switch {
		case err != nil:
			return err
		case stopped >= 0: // no more is wanted
			h.mark, h.taken.More = page[stopped].ref, true
			return nil
		case len(page) == pageSize && looks >= maxLooks:
			h.mark, h.taken.More = after(page[len(page)-1].ref), true
			return nil
		case len(page) == pageSize:
			from = after(page[len(page)-1].ref)
		case !wrapped:
			wrapped, from = true, spool.Ref{}
		default:
			return nil
		}
	}
}

func after(ref spool.Ref) spool.Ref { return spool.Ref{ID: ref.ID, Recipient: ref.Recipient + 1} }

// takeSome takes what it may of a page of candidates, in order. It returns the index of
// the first one that it could take and does not want any more; -1: there is none.
func (h *haul) takeSome(page []candidate, place spool.Place) (stopped int, err error) {
	if err := h.measure(page); err != nil {
		return -1, err
	}
	var chosen []candidate
	for i := range page {
		c := &page[i]
		if slices.Contains(h.want.Skip, c.destination) || h.room[c.destination] <= 0 {
			continue
		}
		if h.n+len(chosen) >= h.want.Recipients {
			return i, h.lease(chosen, place)
		}
		h.room[c.destination]--
		chosen = append(chosen, *c)
	}
	return -1, h.lease(chosen, place)
}

// measure finds out how much the owner may take of destinations that are new to the haul.
func (h *haul) measure(page []candidate) error {
	var names [][]byte
	for i := range page {
		name := page[i].destination
		if _, known := h.room[name]; known {
			continue
		}
		h.room[name] = spool.MaxRecipients
		if h.want.PerDestination > 0 {
			h.room[name] = h.want.PerDestination
			names = append(names, []byte(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	rows, err := h.tx.Query(h.ctx, "SELECT destination, count(*) FROM recipient WHERE epoch = $1 AND epoch <> 0 AND destination = ANY($2) GROUP BY destination",
		int64(h.owner.Epoch), names)
	if err != nil {
		return err
	}
	var name []byte
	var held int
	_, err = pgx.ForEachRow(rows, []any{&name, &held}, func() error { h.room[string(name)] -= held; return nil })
	return err
}

// lease takes candidates that are still as they were found.
func (h *haul) lease(chosen []candidate, place spool.Place) error {
	if len(chosen) == 0 {
		return nil
	}
	var r rows
	for i := range chosen {
		r.name(chosen[i].ref)
	}
	found, err := h.tx.Query(h.ctx, `
		UPDATE recipient r SET epoch = $5 WHERE r.ctid = ANY (ARRAY (
			SELECT free.at FROM unnest($1::bytea[], $2::int[]) AS u (id, n), LATERAL (SELECT x.ctid AS at FROM recipient x
				WHERE x.id = u.id AND x.n = u.n AND x.place = $3 AND x.epoch = 0 AND x.due <= $4 FOR UPDATE SKIP LOCKED) free))
		AND r.epoch = 0 RETURNING `+rowColumns,
		r.ids, r.ns, int16(place), h.now, int64(h.owner.Epoch))
	if err != nil {
		return err
	}
	got, err := pgx.CollectRows(found, scanRow)
	if err != nil {
		return err
	}
	if len(got) < len(chosen) {
		h.taken.More = true // somebody else had a hand on the others
	}
	h.n += len(got)
	sortAs(got, chosen)
	return h.add(got)
}

// sortAs puts rows into the order in which they were chosen.
func sortAs(got []*row, chosen []candidate) {
	at := make(map[spool.Ref]int, len(chosen))
	for i := range chosen {
		at[chosen[i].ref] = i
	}
	slices.SortFunc(got, func(a, b *row) int { return cmp.Compare(at[a.ref], at[b.ref]) })
}

// add puts leased rows into what was taken, with their envelopes.
func (h *haul) add(got []*row) error {
	envelopes, err := h.s.envelopes(h.ctx, h.tx, got)
	if err != nil {
		return err
	}
	for _, r := range got {
		e := envelopes[r.ref.ID]
		st, err := h.s.stands(r)
		switch {
		case e.err != nil:
			h.damage(r, "envelope: "+e.err.Error())
			continue
		case err != nil:
			h.damage(r, fmt.Sprintf("recipient %d: %v", r.ref.Recipient, err))
			continue
		}
		i, has := h.at[r.ref.ID]
		if !has {
			i = len(h.taken.Leases)
			h.at[r.ref.ID] = i
			h.taken.Leases = append(h.taken.Leases, spool.Lease{Envelope: *e.env})
		}
		h.taken.Leases[i].Recipients = append(h.taken.Leases[i].Recipients, st)
	}
	for i := range h.taken.Leases {
		slices.SortFunc(h.taken.Leases[i].Recipients, func(a, b spool.Standing) int { return cmp.Compare(a.Recipient, b.Recipient) })
	}
	return nil
}

func (h *haul) damage(r *row, what string) {
	if h.damaged == nil {
		h.damaged = map[mail.ID]string{}
	}
	h.damaged[r.ref.ID] = what
}

// sealed is an envelope that was read, or why it could not be.
type sealed struct {
	env *mail.Envelope
	err error
}

var errMissing = errors.New("it is missing")

// envelopes reads those of the messages of some rows.
func (s *Spool) envelopes(ctx context.Context, tx pgx.Tx, of []*row) (map[mail.ID]sealed, error) {
	found := map[mail.ID]sealed{}
	var list []mail.ID
	for _, r := range of {
		if _, has := found[r.ref.ID]; !has {
			found[r.ref.ID] = sealed{err: errMissing}
			list = append(list, r.ref.ID)
		}
	}
	if len(list) == 0 {
		return found, nil
	}
	rows, err := tx.Query(ctx, "SELECT id, size, recipients, envelope FROM message WHERE id = ANY($1)", ids(list))
	if err != nil {
		return nil, err
	}
	var id, record []byte
	var size int64
	var recipients int32
	_, err = pgx.ForEachRow(rows, []any{&id, &size, &recipients, &record}, func() error {
		env, err := readEnvelope(mail.ID(id), record, size, recipients)
		found[mail.ID(id)] = sealed{env, err}
		return nil
	})
	return found, err
}

// waiting takes due recipients, the destination whose first one is the longest due before the
// others. If there are few, it looks at all of them; else at a share of each destination.
func (h *haul) waiting() error {
	if h.n >= h.want.Recipients && h.taken.More {
		return nil
	}
	page, err := h.candidates("SELECT id, n, destination, due FROM recipient WHERE place = 2 AND epoch = 0 AND due <= $1 ORDER BY due, id, n LIMIT $2", h.now, pageSize)
	if err != nil {
		return err
	}
	if len(page) == pageSize {
		return h.crowd()
	}
	byDestination(page)
	stopped, err := h.takeSome(page, spool.Waiting)
	h.taken.More = h.taken.More || stopped >= 0
	return err
}

// byDestination sorts what is due: destinations by their first one, each by due time.
func byDestination(page []candidate) {
	first := map[string]int64{}
	for i := range page {
		if d, has := first[page[i].destination]; !has || page[i].due < d {
			first[page[i].destination] = page[i].due
		}
	}
	slices.SortStableFunc(page, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(first[a.destination], first[b.destination]), cmp.Compare(a.destination, b.destination),
			cmp.Compare(a.due, b.due), bytes.Compare(a.ref.ID[:], b.ref.ID[:]), cmp.Compare(a.ref.Recipient, b.ref.Recipient))
	})
}

// crowd takes a share of each destination that has something due, by a search that
// steps from one to the next.
func (h *haul) crowd() error {
	rows, err := h.tx.Query(h.ctx, `
		WITH RECURSIVE d (name, due) AS (
			(SELECT destination, due FROM recipient WHERE place = 2 AND epoch = 0 ORDER BY destination, due LIMIT 1)
			UNION ALL
			SELECT n.destination, n.due FROM d, LATERAL (SELECT r.destination, r.due FROM recipient r
				WHERE r.place = 2 AND r.epoch = 0 AND r.destination > d.name ORDER BY r.destination, r.due LIMIT 1) n)
		SELECT name FROM d WHERE due <= $1 ORDER BY due, name`, h.now)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return err
	}
	for part := range slices.Chunk(names, 200) {
		if h.n >= h.want.Recipients {
			h.taken.More = true
			return nil
		}
		if err := h.visit(part); err != nil {
			return err
		}
	}
	return nil
}

// visit takes what it may of some destinations.
func (h *haul) visit(names [][]byte) error {
	names = slices.DeleteFunc(slices.Clone(names), func(name []byte) bool { return slices.Contains(h.want.Skip, string(name)) })
	share := h.want.Recipients - h.n + 1
	if h.want.PerDestination > 0 {
		share = min(share, h.want.PerDestination)
	}
	page, err := h.candidates(`
		SELECT r.id, r.n, r.destination, r.due FROM unnest($1::bytea[]) WITH ORDINALITY AS u (name, at),
			LATERAL (SELECT * FROM recipient WHERE place = 2 AND epoch = 0 AND destination = u.name AND due <= $2 ORDER BY destination, due, id, n LIMIT $3) r
		ORDER BY u.at, r.due, r.id, r.n LIMIT $4`, names, h.now, share, maxLooks)
	if err != nil {
		return err
	}
	stopped, err := h.takeSome(page, spool.Waiting)
	h.taken.More = h.taken.More || stopped >= 0 || len(page) == maxLooks
	return err
}

// next finds out when the next one falls due.
func (h *haul) next() error {
	var due int64
	err := h.tx.QueryRow(h.ctx, "SELECT coalesce((SELECT due FROM recipient WHERE place = 2 AND epoch = 0 AND due > $1 ORDER BY due LIMIT 1), 0)", h.now).Scan(&due)
	h.taken.Next = spool.Instant(due)
	return err
}
