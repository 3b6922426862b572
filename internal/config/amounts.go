package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// number is a whole number from least to most.
func number[N int | int64](least, most N) kind[N] {
	return kind[N]{
		read: func(_ *decoder, v value) (N, error) {
			if v.Type() != cty.Number {
				return 0, fmt.Errorf("a number must stand here, not %s", whatIs(v))
			}
			if !v.AsBigFloat().IsInt() {
				return 0, errors.New("a whole number must stand here")
			}
			n, lost := v.AsBigFloat().Int64()
			if lost != big.Exact || int64(N(n)) != n {
				return 0, fmt.Errorf("the number is impossible here: it may be %d to %d", least, most)
			}
			return within(N(n), least, most, func(n N) string { return strconv.FormatInt(int64(n), 10) })
		},
		show: func(n N) any { return int64(n) },
	}
}

func within[N int | int64 | time.Duration](n, least, most N, show func(N) string) (N, error) {
	if n < least || n > most {
		return 0, fmt.Errorf("%s is impossible here: it may be %s to %s", show(n), show(least), show(most))
	}
	return n, nil
}

// orNone is a kind that may also be "none", which is the value None.
func orNone[N int | int64 | time.Duration](k kind[N]) kind[N] {
	return kind[N]{
		read: func(d *decoder, v value) (N, error) {
			if v.Type() == cty.String && v.AsString() == "none" {
				return None, nil
			}
			n, err := k.read(d, v)
			if err != nil {
				err = fmt.Errorf(`%w, or "none"`, err)
			}
			return n, err
		},
		show: func(n N) any {
			if n == None {
				return "none"
			}
			return k.show(n)
		},
	}
}

// unlessZero is a kind whose zero value is not set.
func unlessZero[N int64 | time.Duration](k kind[N]) kind[N] {
	show := k.show
	k.show = func(n N) any {
		if n == 0 {
			return nil
		}
		return show(n)
	}
	return k
}

// size is a number of octets.
func size(least, most int64) kind[int64] {
	plain := number(int64(0), int64(math.MaxInt64))
	return kind[int64]{
		read: func(d *decoder, v value) (n int64, err error) {
			if v.Type() == cty.String {
				n, err = parseSize(v.AsString())
			} else {
				n, err = plain.read(d, v)
			}
			if err != nil {
				return 0, err
			}
			return within(n, least, most, formatSize)
		},
		show: func(n int64) any { return formatSize(n) },
	}
}

// duration is a time from least to most.
func duration(least, most time.Duration) kind[time.Duration] {
	return textual(func(_ *decoder, s string) (time.Duration, error) {
		t, err := parseDuration(s)
		if err != nil {
			return 0, err
		}
		return within(t, least, most, formatDuration)
	}, formatDuration)
}

// delay is "5m", or "1h..4h" for some time between the two.
func delay() kind[Delay] {
	one := func(s string) (time.Duration, error) {
		t, err := parseDuration(s)
		if err != nil {
			return 0, err
		}
		return within(t, time.Second, 30*day, formatDuration)
	}
	return textual(func(_ *decoder, s string) (d Delay, err error) {
		low, high, isRange := strings.Cut(s, "..")
		if d.Min, err = one(low); err != nil || !isRange {
			return d, err
		}
		if d.Max, err = one(high); err == nil && d.Max <= d.Min {
			err = fmt.Errorf("%q ends before it begins", clip(s))
		}
		return d, err
	}, func(d Delay) string {
		if d.Max > d.Min {
			return formatDuration(d.Min) + ".." + formatDuration(d.Max)
		}
		return formatDuration(d.Min)
	})
}

// rate is "60/h" or "5/10m".
func rate() kind[Rate] {
	return textual(func(_ *decoder, s string) (Rate, error) {
		if s == "none" {
			return Rate{}, nil
		}
		count, per, _ := strings.Cut(s, "/")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > 1_000_000 {
			return Rate{}, fmt.Errorf(`%q is no rate such as "10/s", "60/h" or "5/10m"`, clip(s))
		}
		if per != "" && (per[0] < '0' || per[0] > '9') {
			per = "1" + per
		}
		t, err := parseDuration(per)
		if err != nil || t < time.Second || t > day {
			return Rate{}, fmt.Errorf(`%q is no rate such as "600/m": behind the / stands a time from 1s to 1d`, clip(s))
		}
		return Rate{n, t}, nil
	}, func(r Rate) string {
		if r.Count == 0 {
			return "none"
		}
		per := formatDuration(r.Per)
		if len(per) == 2 { // "1h"
			per = strings.TrimPrefix(per, "1")
		}
		return fmt.Sprintf("%d/%s", r.Count, per)
	})
}
