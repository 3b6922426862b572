package queue

import (
	"strings"
	"time"
)

// ParseRetry reads delays such as "5m" and "1h..4h", as scripts have them.
func ParseRetry(delays ...string) (Retry, error) {
	r := make(Retry, len(delays))
	for i, s := range delays {
		low, high, isRange := strings.Cut(s, "..")
		if !isRange {
			high = low
		}
		least, err := time.ParseDuration(low)
		if err != nil {
			return nil, err
		}
		most, err := time.ParseDuration(high)
		if err != nil {
			return nil, err
		}
		r[i] = Delay{least, most}
	}
	return r, nil
}
