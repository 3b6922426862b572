//go:build !linux

package smtp

import "time"

// elapsed is the time that a parser takes.
func elapsed(parse func(string), s string) time.Duration {
	start := time.Now()
	parse(s)
	return time.Since(start)
}
