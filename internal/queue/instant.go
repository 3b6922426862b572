package queue

import (
	"math"
	"time"
)

// instant is a time in nanoseconds since 1970: smaller and quicker to compare
// than a [time.Time]. Zero is no time at all, as of a zero time.Time.
type instant int64

const never instant = math.MaxInt64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
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
