package spool

import (
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"bob@sina.example", "Bob@SINA.example", true},
		{"bob", "bob@sina.example", false},
		{"*", "", true},
		{"*@sina.*", "bob@sina.example", true},
		{"*@sina.*", "bob@sohu.example", false},
		{"b*b", "b", false},
		{"b*b", "bb", true},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "aXcYb", false},
		{"a**c", "abc", true},
		{"*ab", "aab", true},
		{"*aab*ab", "aab", false},
	} {
		if got := like(c.pattern, c.s); got != c.want {
			t.Errorf("like(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// A pattern from a console must not take the time of its backtracking.
func TestLikeIsLinear(t *testing.T) {
	start := time.Now()
	like(strings.Repeat("*a", 1<<19)+"b", strings.Repeat("a", 1<<20))
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestWhatMustBeDurable(t *testing.T) {
	for fate, want := range map[mail.Fate]bool{
		0: false, mail.Delivered: false, mail.Relayed: false, mail.Deferred: false,
		mail.Failed: true, mail.Expired: true, mail.Discarded: true, mail.Removed: true,
	} {
		s := Settlement{Results: []Standing{{Fate: fate}}}
		if got := s.Durable(); got != want {
			t.Errorf("%v: %v", fate, got)
		}
	}
	if s := (Settlement{Reports: make([]Report, 1)}); !s.Durable() {
		t.Error("a report may be lost")
	}
}

// TestSizesAreChosen: both bounds exclude themselves, and zero is no bound.
func TestSizesAreChosen(t *testing.T) {
	e := &mail.Envelope{Size: 1000}
	for _, c := range []struct {
		larger, smaller int64
		want            bool
	}{
		{0, 0, true},
		{999, 1001, true},
		{1000, 0, false},
		{0, 1000, false},
		{1001, 999, false},
	} {
		f := Filter{Larger: c.larger, Smaller: c.smaller}
		if got := f.MatchEnvelope(e); got != c.want {
			t.Errorf("larger than %d, smaller than %d: %v", c.larger, c.smaller, got)
		}
	}
}
