package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/posthouse/posthouse/smtp"
)

// kind is a kind of value: how it is read, and how it is shown as text, a number
// or a bool; nil: it is not set. What is shown is read as the same value.
type kind[T any] struct {
	read func(d *decoder, v value) (T, error)
	show func(T) any
}

// maxText is the longest text, in octets.
const maxText = 4096

// asText returns what must be text, of one line and not empty.
func asText(v value) (string, error) {
	if v.Type() != cty.String {
		return "", fmt.Errorf("text in quotes must stand here, not %s", whatIs(v))
	}
	s := showPlaceholders(v.AsString())
	switch {
	case s == "":
		return "", errors.New("the text is empty")
	case len(s) > maxText:
		return "", fmt.Errorf("the text is longer than %d octets", maxText)
	case oneLine(s) != s:
		return "", errors.New("the text has a character that cannot be seen")
	}
	return s, nil
}

// textual is a kind of value that is written as text.
func textual[T any](read func(d *decoder, s string) (T, error), show func(T) string) kind[T] {
	return kind[T]{
		read: func(d *decoder, v value) (T, error) {
			s, err := asText(v)
			if err != nil {
				var zero T
				return zero, err
			}
			return read(d, s)
		},
		show: func(v T) any {
			if s := show(v); s != "" {
				return s
			}
			return nil
		},
	}
}

// whatIs names what stands where something else should.
func whatIs(v value) string {
	switch t := v.Type(); {
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	}
	return "a list"
}

func itself(s string) string { return s }

// text is any text.
func text() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) { return s, nil }, itself)
}

// choice is one of some words.
func choice(words ...string) kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		for _, w := range words {
			if s == w {
				return s, nil
			}
		}
		hint := didYouMean(s, words)
		if hint == "" {
			hint = "one of: " + strings.Join(words, ", ")
		}
		return "", fmt.Errorf("%q is none of the words that may stand here; %s", clip(s), hint)
	}, itself)
}

// file is the name of a file or directory, relative to that of the configuration.
func file() kind[string] {
	return textual(func(d *decoder, s string) (string, error) { return d.path(s), nil }, itself)
}

func (d *decoder) path(s string) string {
	if filepath.IsAbs(s) {
		return filepath.Clean(s)
	}
	return filepath.Join(d.dir, s)
}

func domain() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if _, err := smtp.ParseMailbox("x@" + s); err != nil || strings.HasPrefix(s, "[") {
			return "", fmt.Errorf("%q is no domain", clip(s))
		}
		return foldDomain(s), nil
	}, itself)
}

func localPart() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		p, err := localPath(s, "x.invalid")
		if err != nil {
			return "", err
		}
		return p.Mailbox(), nil
	}, itself)
}

// localPath makes the address of a name in a domain. The name is not quoted.
func localPath(name, domain string) (smtp.Path, error) {
	p, err := smtp.ParseMailbox(name + "@" + domain)
	if err != nil || p.Mailbox() != name {
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
		p, err = smtp.ParseMailbox(quoted + "@" + domain)
	}
	if err != nil {
		return smtp.Path{}, fmt.Errorf("%q cannot be in front of the @ of an address: %w", clip(name), err)
	}
	return p, nil
}

func mailbox() kind[smtp.Path] {
	return textual(func(_ *decoder, s string) (smtp.Path, error) {
		p, err := smtp.ParseMailbox(s)
		if err == nil && p.Domain() == "" {
			err = errors.New("address has no domain")
		}
		if err != nil {
			return smtp.Path{}, fmt.Errorf("%q is no address: %w", clip(s), err)
		}
		return p, nil
	}, smtp.Path.String)
}

func pattern() kind[Pattern] {
	return textual(func(_ *decoder, s string) (Pattern, error) { return readPattern(s) },
		func(p Pattern) string { return string(p) })
}

// network is "10.0.0.0/8", or one address.
func network() kind[netip.Prefix] {
	return textual(func(_ *decoder, s string) (netip.Prefix, error) {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			a = a.Unmap()
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf(`%q is no network such as "10.0.0.0/8" and no IP address`, clip(s))
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p != p.Masked() {
			return netip.Prefix{}, fmt.Errorf("%q has bits behind the network; the network is %s", clip(s), p.Masked())
		}
		return p, nil
	}, netip.Prefix.String)
}

// endpoint is "HOST:PORT" and, where units are allowed, "unix:FILE".
func endpoint(check func(host string, port uint16) error, unix bool) kind[string] {
	return textual(func(d *decoder, s string) (string, error) {
		if name, ok := strings.CutPrefix(s, "unix:"); ok && unix {
			if name == "" {
				return "", errors.New(`there is no file behind "unix:"`)
			}
			return "unix:" + d.path(name), nil
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", fmt.Errorf(`%q is no address with a port, such as "mx.example.org:25"`, clip(s))
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", fmt.Errorf("%q is no port (0 to 65535)", clip(port))
		}
		if err := check(host, uint16(n)); err != nil {
			return "", err
		}
		return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), nil
	}, itself)
}

// here is an address of this machine to listen on.
func here(host string, _ uint16) error {
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return fmt.Errorf("%q is no IP address to listen on (leave it out for all of this machine)", clip(host))
	}
	return nil
}

// there is an address of another machine.
func there(host string, port uint16) error {
	if _, err := netip.ParseAddr(host); err != nil {
		if _, err := smtp.ParseDomain(host); err != nil || strings.HasPrefix(host, "[") {
			return fmt.Errorf("%q is no name of a host and no IP address", clip(host))
		}
	}
	if port == 0 {
		return errors.New("nobody listens on port 0")
	}
	return nil
}

func server() kind[netip.AddrPort] {
	return textual(func(_ *decoder, s string) (netip.AddrPort, error) {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.AddrPortFrom(a, 53), nil
		}
		a, err := netip.ParseAddrPort(s)
		if err != nil || a.Port() == 0 {
			return netip.AddrPort{}, fmt.Errorf(`%q is no IP address, alone or with a port as in "192.0.2.1:53"`, clip(s))
		}
		return a, nil
	}, netip.AddrPort.String)
}

func yesNo() kind[bool] {
	return kind[bool]{
		read: func(_ *decoder, v value) (bool, error) {
			if v.Type() != cty.Bool {
				return false, fmt.Errorf("true or false must stand here, not %s", whatIs(v))
			}
			return v.True(), nil
		},
		show: func(b bool) any { return b },
	}
}

// yes is what can only be true, for it is one of several ways.
func yes() kind[bool] {
	k := yesNo()
	return kind[bool]{
		read: func(d *decoder, v value) (bool, error) {
			is, err := k.read(d, v)
			if err == nil && !is {
				err = errors.New("only true may stand here; leave the setting out if it is not")
			}
			return is, err
		},
		show: func(b bool) any {
			if !b {
				return nil
			}
			return b
		},
	}
}

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
			return Rate{}, fmt.Errorf("%q is no rate: behind the / stands a time from 1s to 1d", clip(s))
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
