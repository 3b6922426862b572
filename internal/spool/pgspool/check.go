package pgspool

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// maxProblems is how many problems a check tells.
const maxProblems = 1000

// Check reads everything in the spool, while it works: each envelope, where each recipient stands, each
// content with its checksums, and the counts. Progress, if not nil, is told now and then how many messages
// were read. What is damaged goes into quarantine, as it does when it is found otherwise.
func (s *Spool) Check(ctx context.Context, progress func(messages int64)) (spool.Checked, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Checked{}, err
	}
	defer s.leave()
	c := checker{s: s, progress: progress}
	for _, part := range []func(context.Context) error{c.messages, c.strays, c.journal, c.counts} {
		if err := part(ctx); err != nil {
			return c.Checked, fmt.Errorf("check: %w", told(err))
		}
	}
	return c.Checked, nil
}

// checker is one check.
type checker struct {
	spool.Checked
	s        *Spool
	progress func(int64)
}

func (c *checker) problem(id mail.ID, format string, args ...any) {
	if len(c.Problems) == maxProblems {
		c.More = true
		return
	}
	c.Problems = append(c.Problems, spool.Problem{ID: id, What: fmt.Sprintf(format, args...)})
}

// messages lists all that is there, and reads the content of each message.
func (c *checker) messages(ctx context.Context) error {
	var last mail.ID
	for q := (spool.Query{}); ; {
		l := lister{s: c.s, q: &q, limit: spool.MaxPage}
		if err := c.s.read(ctx, l.run); err != nil {
			return err
		}
		for id, what := range l.damaged {
			c.problem(id, "%s", what)
		}
		for i := range l.page.Items {
			c.Recipients++
			if id := l.page.Items[i].Envelope.ID; id != last {
				last = id
				if err := c.content(id); err != nil {
					return err
				}
			}
		}
		if err := l.tell(); err != nil {
			return err
		}
		if c.progress != nil {
			c.progress(c.Messages)
		}
		if q.After = l.page.Next; !l.page.More {
			return nil
		}
	}
}

func (c *checker) content(id mail.ID) error {
	c.Messages++
	r, err := (&content{s: c.s, id: id}).Open()
	if err == nil {
		var n int64
		n, err = io.Copy(io.Discard, r)
		c.Bytes += n
		_ = r.Close() // it has nothing to fail with
	}
	switch {
	case errors.Is(err, spool.ErrNotFound): // it has gone meanwhile
		return nil
	case errors.Is(err, spool.ErrDamaged):
		c.problem(id, "%v", err)
		return nil
	}
	return err
}

// strays are rows that belong to nothing: messages without recipients, and recipients without messages.
func (c *checker) strays(ctx context.Context) error {
	return c.s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, kind := range []struct{ query, what string }{
			{"SELECT m.id FROM message m WHERE NOT EXISTS (SELECT FROM recipient r WHERE r.id = m.id AND r.place > 0) ORDER BY m.id LIMIT $1", "it has no recipient that is not done"},
			{"SELECT r.id FROM recipient r WHERE r.place > 0 AND NOT EXISTS (SELECT FROM message m WHERE m.id = r.id) ORDER BY r.id LIMIT $1", "a recipient has no message"},
		} {
			rows, err := tx.Query(ctx, kind.query, maxProblems)
			if err != nil {
				return err
			}
			var id []byte
			if _, err = pgx.ForEachRow(rows, []any{&id}, func() error { c.problem(mail.ID(id), "%s", kind.what); return nil }); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, "SELECT count(*) FROM quarantine").Scan(&c.Quarantined)
	})
}

// journal reads all facts.
func (c *checker) journal(ctx context.Context) error {
	for q := (spool.FactQuery{}); ; {
		page, err := c.s.Facts(ctx, q)
		if err != nil {
			if errors.Is(err, spool.ErrRecord) {
				c.problem(mail.ID{}, "the journal: %v", err)
				return nil
			}
			return err
		}
		c.Checked.Facts += int64(len(page.Facts))
		if !page.More {
			return nil
		}
		q.After = page.Facts[len(page.Facts)-1].Seq
	}
}

// counts holds the counts against what is there at one instant.
func (c *checker) counts(ctx context.Context) error {
	return c.s.read(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT 'fresh', (SELECT coalesce(sum(fresh), 0)::bigint FROM tally), (SELECT count(*) FROM recipient WHERE place = 1)
			UNION ALL SELECT 'waiting', (SELECT coalesce(sum(waiting), 0)::bigint FROM tally), (SELECT count(*) FROM recipient WHERE place = 2)
			UNION ALL SELECT 'held', (SELECT coalesce(sum(held), 0)::bigint FROM tally), (SELECT count(*) FROM recipient WHERE place = 3)
			UNION ALL SELECT 'messages', (SELECT coalesce(sum(messages), 0)::bigint FROM tally), (SELECT count(*) FROM message) - (SELECT count(*) FROM quarantine)`)
		if err != nil {
			return err
		}
		var name string
		var counted, there int64
		_, err = pgx.ForEachRow(rows, []any{&name, &counted, &there}, func() error {
			if counted != there {
				c.problem(mail.ID{}, "%s: %d are counted, and %d are there", name, counted, there)
			}
			return nil
		})
		return err
	})
}
