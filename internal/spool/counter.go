package spool

import (
	"context"
	"fmt"
	"time"
)

// Bounds of one call of Count.
const (
	MaxCounted = 1000  // that are told
	MaxCounts  = 10000 // that come back
)

// Counter is an [Engine] that adds up what its nodes have counted: of how often somebody came, or failed.
// A count is a time: each thing that is counted adds to it what it takes to be paid back, and it runs off by
// the engine's clock. Counts are as durable as a beat.
type Counter interface {
	// Count adds what was counted in a room, and returns what stands after that of all keys that
	// anybody has added to since a mark, the zero time for all; and the mark for the next call. A
	// key stands once in counted. The same count may be returned again.
	Count(ctx context.Context, room string, counted []Counted, since time.Time) (counts []Count, mark time.Time, err error)
}

// Counted is what a node adds to a count.
type Counted struct {
	Key string        // at most MaxName octets
	By  time.Duration // negative: it was counted by mistake
}

// Count is what stands under a key.
type Count struct {
	Key  string
	Left time.Duration // until all of it is paid back
}

// Hindsight is how far a mark lies behind its call, so that what others were about to add then is
// not missed.
const Hindsight = 5 * time.Second

// CheckCounted reports what no engine can count.
func CheckCounted(room string, counted []Counted) error {
	if len(room) > MaxName || len(counted) > MaxCounted {
		return fmt.Errorf("count %d in a room: %w", len(counted), ErrLimit)
	}
	for i := range counted {
		if len(counted[i].Key) > MaxName {
			return fmt.Errorf("count a key of %d octets: %w", len(counted[i].Key), ErrLimit)
		}
	}
	return nil
}
