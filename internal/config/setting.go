package config

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Setting is a value and where it comes from.
type Setting[T any] struct {
	Value  T
	Origin mail.Origin // the setting in the file; zero: built in
}

// Given reports whether the file says it.
func (s Setting[T]) Given() bool { return s.Origin.File != "" }

func builtIn[T any](v T) Setting[T] { return Setting[T]{Value: v} }

// or returns the setting, or one with a value that is built in.
func (s Setting[T]) or(v T) Setting[T] {
	if s.Given() {
		return s
	}
	return builtIn(v)
}

// None is the value of a number, size or duration that the file calls "none":
// without limit, or never.
const None = -1

// Delay is how long to wait: Min, or some time between Min and Max if Max is
// greater.
type Delay struct{ Min, Max time.Duration }

// Rate is at most Count in a time of Per. Zero is without limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Schedule says when mail that could not be delivered is tried again.
type Schedule struct {
	Retry  Setting[[]Delay]       // after the first try, the second ...; the last for all that follow
	Expire Setting[time.Duration] // given up after
	Warn   Setting[time.Duration] // the sender hears of the delay after; None: never
}
