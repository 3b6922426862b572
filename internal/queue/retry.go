package queue

import (
	"encoding/binary"
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

// minDelay is the least delay. A destination that is tried more often than once a second
// is not being retried but hammered.
const minDelay = time.Second

// String prints the delay: "5m", or "1h..4h".
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
