package queue

import (
	"math"
	"time"
)

// instant is a time in nanoseconds since 1970: smaller and quicker to compare
// than a [time.Time]. Zero is no time at all, as of a zero time.Time.
type instant int64

const (
	never instant = math.MaxInt64
	// far is in the year 2116: later times, which a client may well name, are
	// taken for it, and what is added to it does not overflow.
	far instant = 1 << 62
)

func instantOf(t time.Time) instant {
	switch {
	case t.IsZero():
		return 0
	case t.Unix() >= int64(far/1e9):
		return far
	case t.Unix() < 1:
		return 1
	}
	return instant(t.UnixNano())
}

// time is in UTC; zero for no time, and for never.
func (i instant) time() time.Time {
	if i == 0 || i == never {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

func (i instant) add(d time.Duration) instant { return i + instant(d) }
