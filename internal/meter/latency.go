package meter

import (
	"math/bits"
	"time"
)

// Latency is how long things took, counted by powers of two: in the first class what took
// less than a millisecond, in the next less than two, four, and so on up to some six days.
// The zero value has counted nothing.
type Latency struct {
	Classes [classes]int64
	Sum     time.Duration
}

const classes = 30

// Bound is the time below which everything in a class took.
func Bound(class int) time.Duration { return time.Millisecond << class }

func (l *Latency) add(took time.Duration) {
	took = max(took, 0)
	l.Classes[min(bits.Len64(uint64(took.Milliseconds())), classes-1)]++
	l.Sum += took
}

// Add counts what another has counted.
func (l *Latency) Add(o *Latency) {
	for i := range l.Classes {
		l.Classes[i] += o.Classes[i]
	}
	l.Sum += o.Sum
}

// Count is how many things were counted.
func (l *Latency) Count() (n int64) {
	for _, c := range l.Classes {
		n += c
	}
	return n
}

// Quantile is how long a share of them took at the most, such as 0.95, in proportion
// within the class; 0 if nothing was counted.
func (l *Latency) Quantile(share float64) time.Duration {
	want := share * float64(l.Count())
	for i, c := range l.Classes {
		if n := float64(c); n > 0 && want <= n {
			var low time.Duration
			if i > 0 {
				low = Bound(i - 1)
			}
			return low + time.Duration(float64(Bound(i)-low)*max(want, 0)/n)
		}
		want -= float64(c)
	}
	return 0
}
