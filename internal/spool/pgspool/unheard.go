package pgspool

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/posthouse/posthouse/internal/spool"
)

// verdict is what became of a transaction whose end was sent and whose answer was not heard.
type verdict uint8

const (
	unknown verdict = iota
	undone          // it was rolled back, and nothing of it will ever be there
	done            // all of it is there, and as durable as if its answer had been heard
)

// askAgain is how long the database is left alone that could not be asked.
const askAgain = 100 * time.Millisecond

// errLooked ends a transaction in which there was only something to see.
var errLooked = errors.New("there is nothing to commit")

// unheard asks what became of a transaction, over another connection, until it is told or the time
// of the call is over. Look reads it from what the transaction would have changed, and waits for the
// locks of the transaction if it is still under way.
//
// What can be seen need not be on the standby: a line that is cut ends the wait for it, and so does
// pgx, which cancels what it could not hear the end of. So what is seen as done is believed when
// a later commit was answered by the standby: WAL has one order, and who has the later record has
// those before it. A standby that was promoted shows only what it has, and has
// a standby of its own answer; a primary that was left behind by its standby finds nobody who does.
func (s *Spool) unheard(ctx context.Context, look func(context.Context, pgx.Tx) (verdict, error)) (v verdict) {
	for ctx.Err() == nil {
		err := s.writeOnce(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
			if v, err = look(ctx, tx); err == nil && v != done {
				err = errLooked
			}
			return err
		})
		if err == nil || errors.Is(err, errLooked) {
			return v
		}
		rest(ctx)
	}
	return unknown
}

// rest waits before the database is asked again.
func rest(ctx context.Context) {
	t := time.NewTimer(askAgain)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// queueWeight has the end of a transaction wait for the standby, though it changes nothing.
func queueWeight(b *pgx.Batch) { b.Queue("INSERT INTO tally VALUES (0, 0, 0, 0, 0, 0, 0)") }

// arrived looks whether a batch was committed: then its first message is there. If it is
// not, nobody knows: it may have been sent and be gone, if its owner's epoch is over, or come yet.
func arrived(batch []*arrival) func(context.Context, pgx.Tx) (verdict, error) {
	return func(ctx context.Context, tx pgx.Tx) (v verdict, err error) {
		var b pgx.Batch
		queueBirth(&b, batch)
		// Who inserts the same ID is waited for. What is inserted here is never committed.
		b.Queue("INSERT INTO message (id, slice, size, chunks, recipients, open, envelope) VALUES ($1, 0, 0, 0, 0, 0, '') ON CONFLICT DO NOTHING", batch[0].env.ID[:]).
			Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() == 0 {
					v = done
				}
				return nil
			})
		queueWeight(&b)
		return v, tx.SendBatch(ctx, &b).Close()
	}
}

// written is a recipient's row as it is found after a settlement whose end was not heard.
type written struct {
	epoch   uint64
	altered bool
	by      uint32 // the transaction that wrote it
}

// recorded looks whether a settlement was committed. While the epoch of its owner lasts nobody else
// takes the leases away that it ends, so its rows tell.
func (t *settler) recorded(ctx context.Context, tx pgx.Tx) (verdict, error) {
	var refs []spool.Ref
	for ref, x := range t.rows {
		if x.changed {
			refs = append(refs, ref)
		}
	}
	r := names(refs)
	lives, rows := false, map[spool.Ref]*written{}
	var b pgx.Batch
	t.queueLives(&b, &lives)
	b.Queue(lockNamed, r.ids, r.ns)
	b.Queue(readWritten, r.ids, r.ns).Query(func(found pgx.Rows) error { return scanWritten(found, rows) })
	queueBirth(&b, t.reports)
	queueWeight(&b)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil || !lives {
		return unknown, err
	}
	for _, ref := range refs { // each that tells anything tells the same
		if v := t.rows[ref].found(rows[ref], t.owner.Epoch); v != unknown {
			return v, nil
		}
	}
	return unknown, nil
}

func scanWritten(from pgx.Rows, to map[spool.Ref]*written) error {
	var id []byte
	var n int32
	var epoch int64
	var w written
	_, err := pgx.ForEachRow(from, []any{&id, &n, &epoch, &w.altered, &w.by}, func() error {
		var ref spool.Ref
		copy(ref.ID[:], id)
		ref.Recipient = int(n)
		w.epoch = uint64(epoch)
		found := w
		to[ref] = &found
		return nil
	})
	return err
}

// found is what a row tells of the transaction that was to put it where x says, when the epoch that had
// it on lease lasts.
func (x *settled) found(w *written, epoch uint64) verdict {
	switch {
	case w == nil && x.delete:
		return done
	case w == nil:
		return unknown // which cannot be
	case w.by == x.by:
		return undone // the row is the one that was read
	case x.delete:
		return undone // an operator's order came since
	case x.epoch == 0 && w.epoch != epoch:
		return done // only the transaction ended the lease
	case x.epoch == epoch && w.epoch == epoch && !w.altered:
		return done // only the transaction knew that the owner was told
	}
	return unknown // it was leased again, or an order came since
}
