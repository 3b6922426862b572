package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/posthouse/posthouse/internal/spool"
)

// facts copies the journal from where the target's ends.
func (c *copier) facts(ctx context.Context) error {
	last, err := c.to.Engine.Facts(ctx, spool.FactQuery{Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	after := uint64(0)
	if len(last.Facts) > 0 {
		after = last.Facts[0].Seq
	}
	return eachFacts(ctx, c.from.Engine, after, func(facts []spool.Fact) error {
		if err := c.to.Engine.ImportFacts(ctx, facts); err != nil {
			return fmt.Errorf("copy the journal: %w", err)
		}
		return nil
	})
}

// eachFacts calls f with the journal behind a place, a page at a time.
func eachFacts(ctx context.Context, engine spool.Engine, after uint64, f func([]spool.Fact) error) error {
	for {
		page, err := engine.Facts(ctx, spool.FactQuery{After: after})
		if err != nil {
			return err
		}
		if len(page.Facts) > 0 {
			if err := f(page.Facts); err != nil {
				return err
			}
			after = page.Facts[len(page.Facts)-1].Seq
		}
		if !page.More {
			return nil
		}
	}
}

// states copies the states, but for those that are there.
func (c *copier) states(ctx context.Context) error {
	return eachState(ctx, c.from.Engine, func(st spool.State) error {
		_, err := c.to.Engine.PutState(ctx, st, 0)
		if errors.Is(err, spool.ErrConflict) {
			return c.sameState(ctx, st)
		}
		return err
	})
}

// sameState brings a state up to date that was copied before the last stop.
func (c *copier) sameState(ctx context.Context, st spool.State) error {
	there, err := c.to.Engine.State(ctx, st.Room, st.Key)
	if err == nil && (!bytes.Equal(there.Value, st.Value) || !there.Expires.Equal(st.Expires)) {
		_, err = c.to.Engine.PutState(ctx, st, there.Version)
	}
	return err
}

// eachState calls f with each state of an engine, by room and key, but for marks.
func eachState(ctx context.Context, engine Engine, f func(spool.State) error) error {
	for after, more := "", true; more; {
		rooms, err := engine.Rooms(ctx, after, spool.MaxPage)
		if err != nil {
			return err
		}
		for _, name := range rooms {
			after = name
			if name == room {
				continue
			}
			if err := eachStateOf(ctx, engine, name, f); err != nil {
				return err
			}
		}
		more = len(rooms) == spool.MaxPage
	}
	return nil
}

func eachStateOf(ctx context.Context, engine spool.Engine, room string, f func(spool.State) error) error {
	for after, more := "", true; more; {
		states, err := engine.States(ctx, room, after, spool.MaxPage)
		if err != nil {
			return err
		}
		for _, st := range states {
			after = st.Key
			if err := f(st); err != nil {
				return err
			}
		}
		more = len(states) == spool.MaxPage
	}
	return nil
}
