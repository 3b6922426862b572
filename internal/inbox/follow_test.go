package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// next are the subjects that a reader tells.
func next(t *testing.T, r *inbox.Reader) (all []string) {
	t.Helper()
	messages, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		all = append(all, m.Subject)
	}
	return all
}

// TestFollow: messages are told once and in order, from now on or after one that is known, and no
// other change is.
func TestFollow(t *testing.T) {
	s := open(t, inbox.Options{})
	zero := put(t, s, "a", "zero", "")
	every, of, asked := s.Follow("", inbox.Query{}, mail.ID{}), s.Follow("B", inbox.Query{}, mail.ID{}), s.Follow("", inbox.Subject("two"), mail.ID{})
	one := put(t, s, "a", "one", "")
	if err := s.Mark("a", one.ID, true); err != nil {
		t.Fatal(err)
	}
	two := put(t, s, "b", "two", "")
	for _, c := range []struct {
		of   *inbox.Reader
		want string
	}{
		{every, "[one two]"},
		{of, "[two]"},
		{asked, "[two]"},
		{s.Follow("", inbox.Query{}, zero.ID), "[one two]"},
		{s.Follow("a", inbox.Query{}, zero.ID), "[one]"},
	} {
		if got := fmt.Sprint(next(t, c.of)); got != c.want {
			t.Errorf("told %s, want %s", got, c.want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := every.Next(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("told again: %v, %v", m, err)
	}
	s.Delete("", zero.ID, one.ID)
	back := s.Follow("", inbox.Query{}, one.ID) // which is there no more
	if got := fmt.Sprint(next(t, back)); got != "[two]" {
		t.Errorf("after one that was deleted %s is told", got)
	}
	many := s.Follow("b", inbox.Query{}, two.ID)
	for i := range 101 {
		put(t, s, "b", fmt.Sprint(i), "")
	}
	if first, rest := next(t, many), next(t, many); len(first) != 100 || first[99] != "99" || fmt.Sprint(rest) != "[100]" {
		t.Errorf("%d are told, then %v", len(first), rest)
	}
	_ = s.Close()
	if _, err := many.Next(t.Context()); !errors.Is(err, inbox.ErrClosed) {
		t.Errorf("at the end: %v", err)
	}
}
