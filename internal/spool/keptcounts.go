package spool

import (
	"context"
	"errors"
	"time"
)

// KeptCounts is a [Counter] of one node alone, whose counts outlive it: each is a state that expires
// when all is paid back. What is counted is told to nobody else, so only the first call returns counts: one whose
// mark is the zero time.
type KeptCounts struct{ States States }

// Count implements [Counter].
func (k KeptCounts) Count(ctx context.Context, room string, counted []Counted, since time.Time) ([]Count, time.Time, error) {
	if err := CheckCounted(room, counted); err != nil {
		return nil, since, err
	}
	now := time.Now()
	for i := range counted {
		if err := k.add(ctx, room, &counted[i], now); err != nil {
			return nil, since, err
		}
	}
	if !since.IsZero() {
		return nil, now, nil
	}
	counts, err := k.all(ctx, room, now)
	return counts, now, err
}

func (k KeptCounts) add(ctx context.Context, room string, c *Counted, now time.Time) error {
	was, err := k.States.State(ctx, room, c.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	until := was.Expires
	if until.Before(now) {
		until = now
	}
	is := State{Room: room, Key: c.Key, Value: []byte{}, Expires: until.Add(c.By)}
	if !is.Expires.After(now) {
		is.Value = nil
	}
	_, err = k.States.PutState(ctx, is, was.Version)
	if errors.Is(err, ErrConflict) { // it has just expired
		return nil
	}
	return err
}

func (k KeptCounts) all(ctx context.Context, room string, now time.Time) (counts []Count, err error) {
	for after := ""; ; {
		page, err := k.States.States(ctx, room, after, MaxPage)
		if err != nil || len(page) == 0 {
			return counts, err
		}
		for i := range page {
			after = page[i].Key
			counts = append(counts, Count{Key: after, Left: page[i].Expires.Sub(now)})
		}
	}
}
