package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads "90s", "5m", "4h", "5d" and what is made of them, "1d12h".
func parseDuration(s string) (time.Duration, error) {
	wrong := fmt.Errorf(`%q is no time such as "90s", "5m", "4h" or "5d"`, clip(s))
	var days time.Duration
	rest := s
	if number, behind, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16) // up to 179 years
		if err != nil {
			return 0, wrong
		}
		days, rest = time.Duration(n)*day, behind
		if rest == "" {
			return days, nil
		}
	}
	t, err := time.ParseDuration(rest)
	if err != nil || t < 0 || rest[0] == '+' || t > math.MaxInt64-days {
		return 0, wrong
	}
	return days + t, nil
}

// formatDuration prints what parseDuration reads: "5d", "1h30m", "90ms".
func formatDuration(t time.Duration) string {
	s := ""
	if days := t / day; days > 0 {
		s = fmt.Sprintf("%dd", days)
		if t %= day; t == 0 {
			return s
		}
	}
	rest := t.String()
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	return s + rest
}

// units of sizes, the largest first.
var units = []struct {
	name   string
	octets int64
}{
	{"TiB", 1 << 40},
	{"TB", 1e12},
	{"GiB", 1 << 30},
	{"GB", 1e9},
	{"MiB", 1 << 20},
	{"MB", 1e6},
	{"KiB", 1 << 10},
	{"KB", 1e3},
	{"B", 1},
}

// parseSize reads "128KiB", "50 MB" or "512".
func parseSize(s string) (int64, error) {
	number, per := s, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			number, per = strings.TrimSuffix(rest, " "), u.octets
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/per {
		return 0, fmt.Errorf(`%q is no size such as "128KiB", "50MiB" or "2GB"`, clip(s))
	}
	return int64(n) * per, nil
}

// formatSize prints what parseSize reads, with the largest unit that fits.
func formatSize(n int64) string {
	for _, u := range units {
		if n > 0 && n%u.octets == 0 {
			return fmt.Sprintf("%d%s", n/u.octets, u.name)
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
