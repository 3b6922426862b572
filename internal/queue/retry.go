package queue

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Retry is how long to wait after each try that did not succeed: after the
// first, the second and so on. The last one is for all that follow.
type Retry []Delay

// Delay is how long to wait: Min, or if Max is greater, some time between the
// two that is drawn from the seed, so that mail that failed together does not
// come back together.
type Delay struct{ Min, Max time.Duration }

// Bounds of a delay. A destination that is tried more often than once a second
// is not being retried but hammered.
const (
	minDelay = time.Second
	maxDelay = 30 * 24 * time.Hour
	// maxDelays is how many of them a Retry may list.
	maxDelays = 100
)

// ParseRetry reads delays such as "5m" or "1h..4h" (a range), in the notation
// of [time.ParseDuration]. Each is between one second and 30 days, and there
// are 1 to 100 of them.
func ParseRetry(delays ...string) (Retry, error) {
	if len(delays) == 0 || len(delays) > maxDelays {
		return nil, fmt.Errorf("there are 1 to %d delays, not %d", maxDelays, len(delays))
	}
	r := make(Retry, len(delays))
	for i, s := range delays {
		d, err := parseDelay(s)
		if err != nil {
			return nil, fmt.Errorf("delay %q: %w", s, err)
		}
		r[i] = d
	}
	return r, nil
}

func parseDelay(s string) (d Delay, err error) {
	low, high, isRange := strings.Cut(s, "..")
	if d.Min, err = parseDuration(low); err != nil {
		return Delay{}, err
	}
	if !isRange {
		return d, nil
	}
	if d.Max, err = parseDuration(high); err != nil {
		return Delay{}, err
	}
	if d.Max <= d.Min {
		return Delay{}, fmt.Errorf("the second of a range is greater than the first")
	}
	return d, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("it is a time such as 90s, 5m or 4h")
	}
	if d < minDelay || d > maxDelay {
		return 0, fmt.Errorf("it is at least %v and at most %v", minDelay, maxDelay)
	}
	return d, nil
}

// String prints the delay as [ParseRetry] reads it.
func (d Delay) String() string {
	if d.Max > d.Min {
		return shortDuration(d.Min) + ".." + shortDuration(d.Max)
	}
	return shortDuration(d.Min)
}

// shortDuration prints "1h" rather than "1h0m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// String prints the delays with commas between them.
func (r Retry) String() string {
	var b strings.Builder
	for i, d := range r {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d.String())
	}
	return b.String()
}

// after returns the delay after the nth try, counted from 1, drawn with dice.
func (r Retry) after(n int, dice uint64) time.Duration {
	d := r[min(max(n, 1), len(r))-1]
	if d.Max <= d.Min {
		return max(d.Min, minDelay)
	}
	high, _ := bits.Mul64(dice, uint64(d.Max-d.Min)+1)
	return max(d.Min+time.Duration(high), minDelay)
}

// dice is a number that looks like chance and depends on nothing but seed, name
// and n: what is drawn does not depend on the order of what happens.
func dice(seed uint64, name string, n int) uint64 {
	h := mix(seed ^ uint64(n)*0x9e3779b97f4a7c15)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return mix(h)
}

func idDice(seed uint64, id mail.ID, n int) uint64 {
	h := mix(seed ^ uint64(n)*0x9e3779b97f4a7c15)
	return mix(h ^ binary.BigEndian.Uint64(id[:]) ^ mix(uint64(binary.BigEndian.Uint32(id[8:]))))
}

// mix spreads every bit of x over all of the result (the finalizer of
// splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
