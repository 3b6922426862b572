package pgspool

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// note is the facts of one message that are recorded together.
type note struct {
	id    mail.ID
	facts []spool.Fact
}

// record prints the facts of a note.
func (n *note) record() (data []byte, octets int64) {
	var e spool.Encoder
	for i := range n.facts {
		e.Time(n.facts[i].At)
		e.Octets(n.facts[i].Data)
		octets += int64(len(n.facts[i].Data))
	}
	return e, octets
}

// queueFacts appends notes to the journal, in order, and counts them.
func queueFacts(b *pgx.Batch, notes []note, t *tally) {
	if len(notes) == 0 {
		return
	}
	n := len(notes)
	names, data := make([][]byte, n), make([][]byte, n)
	offsets, counts, sizes := make([]int64, n), make([]int32, n), make([]int64, n)
	total := int64(0)
	for i := range notes {
		names[i], offsets[i], counts[i] = notes[i].id[:], total, int32(len(notes[i].facts))
		data[i], sizes[i] = notes[i].record()
		total += int64(counts[i])
		t.factBytes += sizes[i]
	}
	t.facts += total
	b.Queue(`WITH start AS MATERIALIZED (SELECT take_places($6) AS seq)
		INSERT INTO fact (seq, id, n, bytes, data)
		SELECT start.seq + u.at, u.id, u.n, u.bytes, u.data FROM start, unnest($1::bigint[], $2::bytea[], $3::int[], $4::bigint[], $5::bytea[]) AS u (at, id, n, bytes, data)`,
		offsets, names, counts, sizes, data, int32(total))
}

// Note implements [spool.Engine].
func (s *Spool) Note(ctx context.Context, facts []spool.Fact) error {
	if err := checkFacts(facts); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	notes := make([]note, len(facts))
	for i := range facts {
		notes[i] = note{facts[i].ID, facts[i : i+1]}
	}
	var b pgx.Batch
	var t tally
	queueFacts(&b, notes, &t)
	t.queue(&b)
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return inDoubt(s.run(ctx, &b))
}

func checkFacts(facts []spool.Fact) error {
	for i := range facts {
		if n := len(facts[i].Data); n > spool.MaxFact {
			return fmt.Errorf("note: fact of %d octets: %w", n, spool.ErrLimit)
		}
	}
	return nil
}

// Facts implements [spool.Engine].
func (s *Spool) Facts(ctx context.Context, q spool.FactQuery) (spool.FactPage, error) {
	if err := s.enter(ctx); err != nil {
		return spool.FactPage{}, err
	}
	defer s.leave()
	r := factReader{q: &q, limit: spool.Limit(q.Limit)}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	// Two statements: what is read is newer than the end that was found before it.
	if err := s.pool.QueryRow(ctx, "SELECT places_end()").Scan(&r.end); err != nil {
		return spool.FactPage{}, told(err)
	}
	r.first = max(0, spool.Nanos(q.Since))
	if q.Newest && q.After > 0 {
		r.end = min(r.end, int64(min(q.After, 1<<62)))
	} else if !q.Newest {
		r.first = max(r.first, int64(min(q.After, 1<<62))+1)
	}
	rows, err := s.pool.Query(ctx, r.query(), r.args()...)
	if err != nil {
		return spool.FactPage{}, told(err)
	}
	defer rows.Close()
	for more := true; more && rows.Next(); {
		if more, err = r.row(rows); err != nil {
			return spool.FactPage{}, told(err)
		}
	}
	rows.Close()
	return r.page, told(rows.Err())
}

// factReader is one call of Facts: it reads the places from first to before end.
type factReader struct {
	q          *spool.FactQuery
	limit      int
	first, end int64
	page       spool.FactPage
}

// query asks for one row more than there may be of interest: the one before the first place may
// reach into it, and each has a fact at least.
func (r *factReader) query() string {
	of := ""
	if !r.q.ID.IsZero() {
		of = "AND id = $4"
	}
	if r.q.Newest {
		return "SELECT seq, id, data FROM fact WHERE seq < $2 AND seq + n > $1 AND seq >= coalesce((SELECT max(seq) FROM fact WHERE seq <= $1), 0) " + of + " ORDER BY seq DESC LIMIT $3"
	}
	return "SELECT seq, id, data FROM fact WHERE seq < $2 AND seq + n > $1 AND seq >= coalesce((SELECT max(seq) FROM fact WHERE seq <= $1), 0) " + of + " ORDER BY seq LIMIT $3"
}

func (r *factReader) args() []any {
	args := []any{r.first, r.end, r.limit + 2}
	if !r.q.ID.IsZero() {
		args = append(args, r.q.ID[:])
	}
	return args
}

// row takes the facts of one row, and reports whether to go on.
func (r *factReader) row(rows pgx.Rows) (more bool, err error) {
	var seq int64
	var id, data []byte
	if err := rows.Scan(&seq, &id, &data); err != nil {
		return false, err
	}
	facts, err := cutFacts(uint64(seq), id, data)
	if err != nil {
		return false, fmt.Errorf("place %d of the journal: %w", seq, err)
	}
	if r.q.Newest {
		slices.Reverse(facts)
	}
	for _, f := range facts {
		switch at := int64(f.Seq); {
		case at >= r.end, at < r.first:
		case len(r.page.Facts) == r.limit:
			r.page.More = true
			return false, nil
		default:
			r.page.Facts = append(r.page.Facts, f)
		}
	}
	return true, nil
}

// cutFacts reads the facts of a row.
func cutFacts(seq uint64, id, data []byte) ([]spool.Fact, error) {
	if len(id) != len(mail.ID{}) {
		return nil, spool.ErrRecord
	}
	var facts []spool.Fact
	for d := (spool.Decoder{Data: data}); len(d.Data) > 0; seq++ {
		f := spool.Fact{ID: mail.ID(id), At: d.Time(), Data: []byte(d.Text()), Seq: seq}
		if d.Err != nil {
			return nil, d.Err
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// trimFacts removes the oldest records while they are too old or too much, a bounded number.
func (s *Spool) trimFacts(ctx context.Context) error {
	const most = 20_000
	return s.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			WITH over AS (SELECT sum(fact_bytes) - $2 AS bytes FROM tally),
			oldest AS (SELECT seq, sum(bytes) OVER (ORDER BY seq) - bytes AS before FROM (SELECT seq, bytes FROM fact ORDER BY seq LIMIT $3) f),
			gone AS (DELETE FROM fact WHERE seq = ANY (ARRAY (SELECT oldest.seq FROM oldest, over WHERE oldest.seq < $1 OR oldest.before < over.bytes)) RETURNING n, bytes)
			INSERT INTO tally SELECT 0, 0, 0, 0, 0, -sum(n), -sum(bytes) FROM gone HAVING count(*) > 0`,
			now()-int64(s.opts.KeepFacts), s.opts.FactBytes, most)
		return err
	})
}
