package bench

import (
	"math/bits"
	"time"
)

// finest is the number of buckets for each doubling of time: 32 of them make
// percentiles that are at most about 3 % too high.
const (
	finestBits = 5
	finest     = 1 << finestBits
)

// latencies counts times in buckets, so that its size does not depend on how
// many there are. The zero value is empty.
type latencies struct {
	buckets [64 * finest]int64 // by microseconds
	count   int64
	most    time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.buckets[bucket(d)]++
	l.count++
	l.most = max(l.most, d)
}

func (l *latencies) merge(other *latencies) {
	for i, n := range other.buckets {
		l.buckets[i] += n
	}
	l.count += other.count
	l.most = max(l.most, other.most)
}

// percentile returns the time within which that part of all came, from 0 to 1.
func (l *latencies) percentile(part float64) time.Duration {
	left := int64(part * float64(l.count))
	for i, n := range l.buckets {
		if left -= n; n > 0 && left <= 0 {
			return min(upper(i), l.most)
		}
	}
	return l.most
}

// bucket returns the bucket of a time: times up to 32 µs have their own each,
// from there every doubling is divided into 32.
func bucket(d time.Duration) int {
	us := uint64(max(d, 0).Microseconds())
	if us < finest {
		return int(us)
	}
	shift := bits.Len64(us) - finestBits - 1
	return shift*finest + int(us>>shift)
}

// upper returns the longest time that belongs to a bucket.
func upper(i int) time.Duration {
	if i < finest {
		return time.Duration(i) * time.Microsecond
	}
	shift := i/finest - 1
	return time.Duration(uint64(i-shift*finest+1)<<shift-1) * time.Microsecond
}
