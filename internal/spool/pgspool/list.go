package pgspool

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

const (
	maxListed = 10_000 // recipients that one List or Alter looks at
	listPage  = 1000   // of them, in one query
)

// List implements [spool.Engine].
func (s *Spool) List(ctx context.Context, q spool.Query) (spool.Page, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Page{}, err
	}
	defer s.leave()
	if err := s.lapse(ctx); err != nil {
		return spool.Page{}, err
	}
	l := lister{s: s, q: &q, limit: spool.Limit(q.Limit)}
	err := s.read(ctx, l.run)
	if err != nil {
		return spool.Page{}, fmt.Errorf("list: %w", told(err))
	}
	return l.page, l.tell()
}

// lister is one call of List or Alter.
type lister struct {
	s       *Spool
	q       *spool.Query
	limit   int
	page    spool.Page
	names   map[uint64]string // of owners, by epoch
	damaged map[mail.ID]string
}

// tell puts what was found damaged in quarantine.
func (l *lister) tell() error {
	for id, what := range l.damaged {
		if err := l.s.quarantine(id, what); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) damage(id mail.ID, what string) {
	if l.damaged == nil {
		l.damaged = map[mail.ID]string{}
	}
	l.damaged[id] = what
}

func (l *lister) run(ctx context.Context, tx pgx.Tx) error {
	l.page, l.names = spool.Page{}, map[uint64]string{}
	rows, err := tx.Query(ctx, "SELECT name, epoch FROM node")
	if err != nil {
		return err
	}
	owners, err := pgx.CollectRows(rows, scanOwner)
	if err != nil {
		return err
	}
	for _, o := range owners {
		l.names[o.Epoch] = o.Name
	}
	from := l.q.After
	for looks := 0; looks < maxListed; looks += listPage {
		sql, args := l.query(from)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, scanRow)
		if err != nil {
			return err
		}
		if err := l.add(ctx, tx, found); err != nil || l.page.More {
			return err
		}
		if len(found) < listPage {
			return nil
		}
		last := found[len(found)-1].ref
		from = spool.Cursor(last)
		l.page.Next = from
	}
	l.page.More = true
	return nil
}

// query asks for the next rows, as far as the database can choose them.
func (l *lister) query(from spool.Cursor) (string, []any) {
	w := where{}
	w.add("(r.id, r.n) > (%s, %s)", from.ID[:], l.after(from))
	f := &l.q.Filter
	switch {
	case f.Place != 0:
		w.add("r.place = %s", int16(f.Place))
	default:
		w.add("r.place IN (1, 2, 3)")
	}
	if !f.ID.IsZero() {
		w.add("r.id = %s", f.ID[:])
	}
	if f.Recipient != nil {
		w.add("r.n = %s", *f.Recipient)
	}
	if f.Leased != nil && *f.Leased {
		w.add("r.epoch <> 0")
	} else if f.Leased != nil {
		w.add("r.epoch = 0")
	}
	if f.Destination != "" && !strings.Contains(f.Destination, "*") {
		w.add("lower(convert_from(r.destination, 'SQL_ASCII')) = %s", strings.ToLower(f.Destination))
	}
	if !f.DueBefore.IsZero() {
		w.add("r.due < %s", spool.Nanos(f.DueBefore))
	}
	if f.Larger > 0 || f.Smaller > 0 {
		w.add("EXISTS (SELECT FROM message m WHERE m.id = r.id AND m.size > %s AND (m.size < %s OR %s = 0))", f.Larger, f.Smaller, f.Smaller)
	}
	w.args = append(w.args, listPage)
	return fmt.Sprintf("SELECT %s FROM recipient r WHERE %s ORDER BY r.id, r.n LIMIT $%d", rowColumns, strings.Join(w.terms, " AND "), len(w.args)), w.args
}

// after is the index after which to go on; the zero Cursor is before the first recipient.
func (l *lister) after(from spool.Cursor) int {
	if from == (spool.Cursor{}) {
		return -1
	}
	return from.Recipient
}

// where is conditions with their arguments.
type where struct {
	terms []string
	args  []any
}

// add appends a condition in which each %s stands for an argument.
func (w *where) add(term string, args ...any) {
	numbers := make([]any, len(args))
	for i := range args {
		w.args = append(w.args, args[i])
		numbers[i] = fmt.Sprintf("$%d", len(w.args))
	}
	w.terms = append(w.terms, fmt.Sprintf(term, numbers...))
}

// add puts the rows that the filter chooses into the page.
func (l *lister) add(ctx context.Context, tx pgx.Tx, found []*row) error {
	envelopes, err := l.s.envelopes(ctx, tx, found)
	if err != nil {
		return err
	}
	for _, r := range found {
		it, ok := l.item(r, envelopes[r.ref.ID])
		if !ok || !l.q.Filter.Match(&it) {
			continue
		}
		if len(l.page.Items) == l.limit {
			l.page.More = true
			return nil
		}
		l.page.Items = append(l.page.Items, it)
		l.page.Next = spool.Cursor{ID: r.ref.ID, Recipient: r.ref.Recipient}
	}
	return nil
}

// item is a row as a list has it; not ok: it is damaged.
func (l *lister) item(r *row, e sealed) (it spool.Item, ok bool) {
	st, err := l.s.stands(r)
	if err != nil {
		l.damage(r.ref.ID, fmt.Sprintf("recipient %d: %v", r.ref.Recipient, err))
		return it, false
	}
	if e.err == nil && r.ref.Recipient >= len(e.env.To) {
		e.err = spool.ErrRecord
	}
	if e.err != nil {
		l.damage(r.ref.ID, "envelope: "+e.err.Error())
		return it, false
	}
	it = spool.Item{Envelope: e.env, Standing: st, Place: r.place}
	if r.epoch != 0 {
		it.Owner = spool.Owner{Name: l.names[r.epoch], Epoch: r.epoch}
	}
	return it, true
}
