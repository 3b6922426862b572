package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// End is one end of a copy.
type End struct {
	Engine Engine
	Name   string // as a person may read it: no secret is in it, and it is always the same
}

// Engine is one whose mail can be copied.
type Engine interface {
	spool.Engine
	spool.Importer
}

// Options of a copy. The zero value is good.
type Options struct {
	// Keep: the source stays in use. The target is then no queue of its own, but something to
	// look at: if a house opens both, mail is sent twice.
	Keep bool
	// Progress is told how many messages are done, of how many: each is copied, and then read
	// at both ends. nil is silence.
	Progress func(done, of int64)
}

// Errors of a copy, beside those of the engines.
var (
	ErrNotEmpty = errors.New("there is something in the target already")
	ErrInUse    = errors.New("a house works with it")
	ErrDiffers  = errors.New("what was copied is not what is in the source")
)

// Copy copies what one engine holds into another, which must be empty or the target of
// the same copy that was stopped. Messages in quarantine are left behind. Both engines
// keep what they have when it returns, and are to be closed by the caller before anybody relies on it.
func Copy(ctx context.Context, from, to End, o Options) (Sum, error) {
	c := &copier{from: from, to: to, o: o}
	for _, step := range []func(context.Context) error{c.idle, c.begin, c.messages, c.facts, c.states, c.verify, c.finish} {
		if err := step(ctx); err != nil {
			return Sum{}, err
		}
	}
	return c.sum, nil
}

type copier struct {
	from, to End
	o        Options
	mark     *mark // of the target
	done, of int64
	sum      Sum
}

// idle looks for houses that work with either end.
func (c *copier) idle(ctx context.Context) error {
	for _, end := range []End{c.from, c.to} {
		shared, is := end.Engine.(spool.Cluster)
		if !is {
			continue
		}
		nodes, err := shared.Nodes(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", end.Name, err)
		}
		for i := range nodes {
			if n := &nodes[i]; n.Alive(time.Now()) {
				return fmt.Errorf("%s: %w: node %q was there %s ago", end.Name, ErrInUse, n.Owner.Name, time.Since(n.Beat).Round(time.Second))
			}
		}
	}
	return nil
}

// begin marks the target.
func (c *copier) begin(ctx context.Context) error {
	moved, err := readMark(ctx, c.from.Engine)
	if err != nil {
		return fmt.Errorf("%s: %w", c.from.Name, err)
	}
	if moved != nil && (moved.Role != source || moved.Other != c.to.Name) {
		return fmt.Errorf("%s: %w", c.from.Name, Usable(ctx, c.from.Engine))
	}
	if c.mark, err = readMark(ctx, c.to.Engine); err != nil {
		return fmt.Errorf("%s: %w", c.to.Name, err)
	}
	switch m := c.mark; {
	case m == nil:
		if err := empty(ctx, c.to.Engine); err != nil {
			return fmt.Errorf("%s: %w", c.to.Name, err)
		}
		c.mark = &mark{Role: target, Other: c.from.Name, At: time.Now().UTC()}
		err = c.mark.put(ctx, c.to.Engine)
	case m.Role != target || m.Other != c.from.Name:
		return fmt.Errorf("%s: %w", c.to.Name, Usable(ctx, c.to.Engine))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.to.Name, err)
	}
	st, err := c.from.Engine.Stats(ctx)
	c.of = 3 * st.Messages
	return err
}

func empty(ctx context.Context, engine spool.Engine) error {
	st, err := engine.Stats(ctx)
	if err != nil {
		return err
	}
	if st.Messages+st.Facts+st.States+st.Damaged > 0 {
		return fmt.Errorf("%w: %d messages, %d entries of the journal, %d states, %d messages in quarantine",
			ErrNotEmpty, st.Messages, st.Facts, st.States, st.Damaged)
	}
	return nil
}

// finish makes the target the queue, and the source none.
func (c *copier) finish(ctx context.Context) error {
	if !c.o.Keep {
		was := uint64(0)
		if m, err := readMark(ctx, c.from.Engine); err != nil {
			return err
		} else if m != nil {
			was = m.was
		}
		moved := &mark{Role: source, Other: c.to.Name, At: time.Now().UTC(), was: was}
		if err := moved.put(ctx, c.from.Engine); err != nil {
			return fmt.Errorf("%s: %w", c.from.Name, err)
		}
		select { // a lazy call is durable after that, and the mark must be before the other goes
		case <-time.After(2 * spool.Lag):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := c.mark.remove(ctx, c.to.Engine); err != nil {
		return fmt.Errorf("%s: %w", c.to.Name, err)
	}
	return nil
}

// step tells of messages that are done with.
func (c *copier) step(n int64) {
	c.done += n
	if c.o.Progress != nil {
		c.o.Progress(c.done, max(c.of, c.done))
	}
}
