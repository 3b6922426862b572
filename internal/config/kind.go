package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
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
