package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/posthouse/posthouse/internal/spool"
)

// atOnce is how many messages are copied at a time: an engine over a network, or one
// that makes files durable, is as quick as there is company.
const atOnce = 16

// each calls f with the recipients of each message of an engine that are not done, by
// the age of the messages.
func each(ctx context.Context, engine spool.Engine, f func([]spool.Item) error) error {
	var items []spool.Item
	for query := (spool.Query{}); ; {
		page, err := engine.List(ctx, query)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			if len(items) > 0 && items[0].Envelope.ID != it.Envelope.ID {
				if err := f(items); err != nil {
					return err
				}
				items = nil
			}
			items = append(items, it)
		}
		if !page.More {
			break
		}
		query.After = page.Next
	}
	if len(items) == 0 {
		return nil
	}
	return f(items)
}

// messages copies what is not in the target yet.
func (c *copier) messages(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan []spool.Item)
	done := make(chan struct{}, atOnce)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for items := range work {
				if err := c.message(ctx, items); err != nil {
					stop(err)
				}
				done <- struct{}{}
			}
		})
	}
	var told sync.WaitGroup
	told.Go(func() {
		for range done {
			c.step(1)
		}
	})
	err := each(ctx, c.from.Engine, func(items []spool.Item) error {
		select {
		case work <- items:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	workers.Wait()
	close(done)
	told.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// message copies one. A damaged one goes into quarantine where it is, and is left behind.
func (c *copier) message(ctx context.Context, items []spool.Item) error {
	id := items[0].Envelope.ID
	content, err := c.from.Engine.Open(ctx, id)
	if err == nil {
		err = c.to.Engine.Import(ctx, items, content)
	}
	if err == nil || errors.Is(err, spool.ErrConflict) || errors.Is(err, spool.ErrDamaged) {
		return nil // what was there before the last stop is held against the source later
	}
	return fmt.Errorf("copy %s: %w", id, err)
}
