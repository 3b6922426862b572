package pgspool

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Settle implements [spool.Engine]. It is durable whatever it carries. If its end is in doubt the database
// is asked what became of it, and if that is nothing it is done again: so that is ErrInDoubt
// only if the time of the call ends before there is an answer, or the epoch of the owner does.
func (s *Spool) Settle(ctx context.Context, owner spool.Owner, settlements []spool.Settlement) ([]spool.Settled, error) {
	for i := range settlements {
		if err := settlements[i].Check(); err != nil {
			return nil, err
		}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	ctx, cancel := s.limit(ctx)
	defer cancel()
	for {
		t := settler{s: s, owner: owner, rows: map[spool.Ref]*settled{}}
		err := t.run(ctx, settlements)
		if again(err) && ctx.Err() == nil {
			continue
		}
		if doubtful(err) {
			switch s.unheard(ctx, t.recorded) {
			case done:
				err = nil
			case undone:
				rest(ctx)
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("settle: %w", inDoubt(err))
		}
		return t.finish(settlements), nil
	}
}

// settler is one try of Settle.
type settler struct {
	s     *Spool
	owner spool.Owner
	lives bool // its epoch lasts
	rows  map[spool.Ref]*settled

	done     []spool.Settled
	reports  []*arrival
	of       [][]int // for each settlement, the arrival of each of its reports; -1: none
	notes    []note
	messages map[mail.ID]*gone
	tally    tally
}

// settled is a recipient that is being settled.
type settled struct {
	row
	ordered *spool.Standing // by an operator, and its owner was not told
	changed bool
	now     *spool.Standing // nil: only its lease and whether it was told have changed
	delete  bool
	size    int64
	total   int32  // recipients of the message
	by      uint32 // the transaction that wrote the row as it was read
}

// gone is what goes of a message.
type gone struct {
	size        int64
	total, done int32
}

// run reads what stands, judges, and writes, with two trips to the database.
func (t *settler) run(ctx context.Context, settlements []spool.Settlement) error {
	for i := range settlements {
		for j := range settlements[i].Reports {
			if d, ours := settlements[i].Reports[j].Draft.(*draft); ours && !d.ended {
				if err := t.s.makeSlice(ctx, d.slice); err != nil {
					return &definite{err}
				}
			}
		}
	}
	conn, err := t.s.pool.Acquire(ctx)
	if err != nil {
		return &definite{err}
	}
	defer conn.Release()
	if err := t.read(ctx, conn.Conn(), settlements); err != nil {
		_ = conn.Conn().Close(ctx)
		return &definite{err} // nothing was written
	}
	for i := range settlements {
		t.done = append(t.done, t.judge(&settlements[i]))
	}
	var b pgx.Batch
	t.queue(&b)
	return send(ctx, conn.Conn(), &b)
}

// definite is an error of a transaction whose end was not sent.
type definite struct{ error }

func (d *definite) Unwrap() error { return d.error }

// SafeToRetry tells pgconn.SafeToRetry, and so doubtful.
func (d *definite) SafeToRetry() bool { return true }

// read begins the transaction, locks the epoch against its end, and the recipients.
func (t *settler) read(ctx context.Context, conn *pgx.Conn, settlements []spool.Settlement) error {
	refs := map[spool.Ref]bool{}
	for i := range settlements {
		for j := range settlements[i].Results {
			refs[spool.Ref{ID: settlements[i].ID, Recipient: settlements[i].Results[j].Recipient}] = true
		}
	}
	r := names(slices.Collect(maps.Keys(refs)))
	var b pgx.Batch
	b.Queue("BEGIN")
	t.queueLives(&b, &t.lives)
	b.Queue(readNamed, r.ids, r.ns).Query(t.scan)
	return conn.SendBatch(ctx, &b).Close()
}

// queueLives asks whether the epoch lasts, and locks it against its end.
func (t *settler) queueLives(b *pgx.Batch, lives *bool) {
	b.Queue("SELECT FROM node WHERE epoch = $1 AND name = $2 AND NOT over AND until > clock_timestamp() FOR KEY SHARE", int64(t.owner.Epoch), []byte(t.owner.Name)).
		Exec(func(tag pgconn.CommandTag) error { *lives = tag.RowsAffected() == 1; return nil })
}

func (t *settler) scan(found pgx.Rows) error {
	all, err := pgx.CollectRows(found, func(from pgx.CollectableRow) (*settled, error) {
		var x settled
		r, err := scanRow(&beside{from, []any{&x.size, &x.total, &x.by}})
		if err == nil {
			x.row = *r
		}
		return &x, err
	})
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.altered {
			st, err := t.s.stands(&x.row)
			if err != nil {
				st = spool.Standing{Recipient: x.ref.Recipient, Destination: x.destination}
			}
			x.ordered = &st
		}
		t.rows[x.ref] = x
	}
	return nil
}

// beside scans more columns than whoever scans knows of.
type beside struct {
	pgx.CollectableRow
	more []any
}

func (b *beside) Scan(dest ...any) error { return b.CollectableRow.Scan(append(dest, b.more...)...) }

// judge decides about one settlement and does it to the rows in memory.
func (t *settler) judge(s *spool.Settlement) spool.Settled {
	done := spool.Settled{Reports: make([]spool.Reported, len(s.Reports))}
	of := make([]int, len(s.Reports))
	for i := range of {
		of[i] = -1
	}
	defer func() { t.of = append(t.of, of) }()
	if done.Err = t.holds(s); done.Err != nil {
		return done
	}
	j := s.Judge(func(recipient int) *spool.Standing { return t.rows[spool.Ref{ID: s.ID, Recipient: recipient}].ordered })
	done.Err, done.Altered, done.Aside = j.Err, j.Altered, j.Aside
	for i := range j.Results {
		t.record(t.rows[spool.Ref{ID: s.ID, Recipient: j.Results[i].Recipient}], &j.Results[i])
	}
	for i := range j.Altered {
		t.told(t.rows[spool.Ref{ID: s.ID, Recipient: j.Altered[i].Recipient}])
	}
	if len(s.Facts) > 0 {
		t.notes = append(t.notes, note{s.ID, s.Facts})
	}
	for i, yes := range j.Reports {
		if d, ours := s.Reports[i].Draft.(*draft); yes && ours && !d.ended {
			of[i] = len(t.reports)
			a := d.arrive(&s.Reports[i].Commit)
			if len(a.facts) > 0 { // in the journal it follows what it tells of
				t.notes = append(t.notes, note{d.id, a.facts})
				a.facts = nil
			}
			t.reports = append(t.reports, a)
		}
	}
	return done
}

func (t *settler) holds(s *spool.Settlement) error {
	if !t.lives {
		return fmt.Errorf("settle %s: %w", s.ID, lost(t.owner))
	}
	for i := range s.Results {
		x := t.rows[spool.Ref{ID: s.ID, Recipient: s.Results[i].Recipient}]
		if x == nil || x.epoch != t.owner.Epoch {
			return fmt.Errorf("settle %s: recipient %d is not held: %w", s.ID, s.Results[i].Recipient, spool.ErrLeaseLost)
		}
	}
	return nil
}

// record puts a recipient where its result says.
func (t *settler) record(x *settled, now *spool.Standing) {
	x.changed, x.epoch, x.altered, x.ordered = true, 0, false, nil
	switch x.place {
	case quarantined: // its records stay as they are
		return
	case removed: // by an order that was told; there is nothing to record
		x.delete = true
		return
	}
	t.tally.places[x.place]--
	now.Held = false
	x.place = placeOf(now)
	if x.place == removed {
		x.delete = true
		t.finishOne(x)
		return
	}
	t.tally.places[x.place]++
	x.now, x.due, x.destination, x.suspect = now, spool.Nanos(now.Due), now.Destination, now.Suspect
}

// finishOne counts a recipient of a message as done.
func (t *settler) finishOne(x *settled) {
	if t.messages == nil {
		t.messages = map[mail.ID]*gone{}
	}
	g := t.messages[x.ref.ID]
	if g == nil {
		g = &gone{size: x.size, total: x.total}
		t.messages[x.ref.ID] = g
	}
	g.done++
}

// told notes that the owner has heard of an order.
func (t *settler) told(x *settled) {
	x.changed, x.altered, x.ordered = true, false, nil
	if x.place == removed {
		x.delete, x.epoch = true, 0
	}
}

// queue writes all of it, and ends the transaction.
func (t *settler) queue(b *pgx.Batch) {
	queueRows(b, t.rows, t.s.life)
	queueGone(b, t.messages)
	queueFacts(b, t.notes, &t.tally)
	if len(t.reports) > 0 {
		t.s.queueArrivals(b, t.reports)
	}
	t.tally.queue(b)
	b.Queue("COMMIT")
}

// queueRows writes the rows that have changed, by ID, as all do, so that nobody waits in a circle.
func queueRows(b *pgx.Batch, all map[spool.Ref]*settled, life int64) {
	list := make([]*settled, 0, len(all))
	for _, x := range all {
		if x.changed {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *settled) int { return compareRefs(a.ref, b.ref) })
	var deletes, marks, puts rows
	var markEpochs, putEpochs []int64
	var markAltered, putAltered []bool
	for _, x := range list {
		switch {
		case x.delete:
			deletes.name(x.ref)
		case x.now == nil:
			marks.name(x.ref)
			markEpochs, markAltered = append(markEpochs, int64(x.epoch)), append(markAltered, x.altered)
		default:
			puts.add(&x.row, x.now)
			putEpochs, putAltered = append(putEpochs, int64(x.epoch)), append(putAltered, x.altered)
		}
	}
	if len(deletes.ids) > 0 {
		b.Queue("DELETE FROM recipient WHERE ctid = ANY (ARRAY (SELECT at FROM "+eachNamed+"))", deletes.ids, deletes.ns)
	}
	if len(marks.ids) > 0 {
		b.Queue(`UPDATE recipient r SET epoch = c.epoch, altered = c.altered FROM (SELECT found.at, u.* FROM unnest($1::bytea[], $2::int[], $3::bigint[], $4::bool[])
			AS u (id, n, epoch, altered), LATERAL (SELECT x.ctid AS at FROM recipient x WHERE x.id = u.id AND x.n = u.n OFFSET 0) found OFFSET 0) c WHERE r.ctid = c.at`,
			marks.ids, marks.ns, markEpochs, markAltered)
	}
	if len(puts.ids) > 0 {
		b.Queue(`UPDATE recipient r SET place = c.place, due = c.due, destination = c.destination, epoch = c.epoch, altered = c.altered,
				suspect = c.suspect, standing = c.standing, life = $10
			FROM (SELECT found.at, u.* FROM unnest($1::bytea[], $2::int[], $3::smallint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bool[], $8::bool[], $9::bytea[])
				AS u (id, n, place, due, destination, epoch, altered, suspect, standing),
				LATERAL (SELECT x.ctid AS at FROM recipient x WHERE x.id = u.id AND x.n = u.n OFFSET 0) found OFFSET 0) c WHERE r.ctid = c.at`,
			puts.ids, puts.ns, puts.places, puts.dues, puts.destinations, putEpochs, putAltered, puts.suspects, puts.standings, life)
	}
}

// queueGone removes messages whose recipients are all done. Of one with several, two nodes may each
// finish one at the same time: who comes second waits, and counts on.
func queueGone(b *pgx.Batch, messages map[mail.ID]*gone) {
	var single, several []mail.ID
	for id, g := range messages {
		if g.total == g.done {
			single = append(single, id)
		} else {
			several = append(several, id)
		}
	}
	compare := func(a, b mail.ID) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(single, compare)
	slices.SortFunc(several, compare)
	if len(several) > 0 {
		done := make([]int32, len(several))
		for i, id := range several {
			done[i] = messages[id].done
		}
		b.Queue("SELECT count(*) FROM unnest($1::bytea[]) AS u (id), LATERAL (SELECT FROM message x WHERE x.id = u.id FOR UPDATE) found", ids(several))
		b.Queue(`UPDATE message m SET open = m.open - c.done FROM (SELECT found.at, u.done FROM unnest($1::bytea[], $2::int[]) AS u (id, done),
			LATERAL (SELECT x.ctid AS at FROM message x WHERE x.id = u.id OFFSET 0) found OFFSET 0) c WHERE m.ctid = c.at`, ids(several), done)
		queueRemoval(b, several, "AND open <= 0")
	}
	if len(single) > 0 {
		queueRemoval(b, single, "")
	}
}

func queueRemoval(b *pgx.Batch, list []mail.ID, and string) {
	// What is in the slice's table goes with it; what was moved goes now.
	b.Queue(`WITH gone AS (DELETE FROM message WHERE id = ANY($1) `+and+` RETURNING id, size, slice),
		rest AS (DELETE FROM body_rest WHERE id = ANY (ARRAY (SELECT id FROM gone WHERE slice = 0)))
		INSERT INTO tally SELECT -count(*), -coalesce(sum(size), 0), 0, 0, 0, 0, 0 FROM gone HAVING count(*) > 0`, ids(list))
}

// finish ends the drafts of reports, and tells their leases.
func (t *settler) finish(settlements []spool.Settlement) []spool.Settled {
	free := false
	for i := range settlements {
		for j, at := range t.of[i] {
			if at < 0 {
				continue
			}
			settlements[i].Reports[j].Draft.(*draft).end()
			t.done[i].Reports[j] = spool.Reported{Committed: true, Lease: t.reports[at].lease}
			free = free || t.reports[at].lease == nil
		}
	}
	if free {
		t.s.tell()
	}
	return t.done
}

func compareRefs(a, b spool.Ref) int {
	return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(a.Recipient, b.Recipient))
}
