package dkimkeys

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRotation goes through the life of two keys, a step at a time.
func TestRotation(t *testing.T) {
	begin := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return begin.AddDate(0, 0, n) }
	var all []Entry
	dns := map[string]bool{}
	seen := func(e *Entry) bool { return dns[e.Selector] }
	stages := func(now time.Time) string {
		var words []string
		for i := range all {
			words = append(words, all[i].Selector+" "+string(all[i].Stage(now)))
		}
		return strings.Join(words, ", ")
	}
	expect := func(now time.Time, step Step, is string) {
		t.Helper()
		if got := Next(all, now, seen); got != step {
			t.Errorf("the next step is to %s, want %s; %s", got, step, stages(now))
		}
		if got := stages(now); got != is {
			t.Errorf("there is %q, want %q", got, is)
		}
	}
	pace := Pace{Keep: 5 * 24 * time.Hour}

	expect(day(0), Begin, "")
	all = Added(all, []string{"one"}, day(0), pace)
	expect(day(0), Begin, "one signing") // nothing signed before, so that it does at once

	all = Added(all, []string{"two"}, day(1), pace)
	expect(day(1), Publish, "one signing, two waiting")
	expect(day(30), Publish, "one signing, two waiting") // nobody published it: nothing changes
	dns["one"], dns["two"] = true, true
	expect(day(30), Switch, "one signing, two waiting")
	all = Switched(all, day(30), pace)
	expect(day(30), Wait, "one kept, two signing")
	expect(day(34), Wait, "one kept, two signing")
	expect(day(35), Drop, "one over, two signing")
	dns["one"] = false
	expect(day(35), Forget, "one over, two signing")
	all = Forgotten(all, day(35))
	expect(day(35), Begin, "two signing")
}

// TestRotationByTime: with a time given, the daemon changes over by itself.
func TestRotationByTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	all := Added(nil, []string{"one"}, now, Pace{})
	all = Added(all, []string{"two"}, now, Pace{After: 48 * time.Hour})
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "signing waiting"},
		{48*time.Hour - time.Second, "signing waiting"},
		{48 * time.Hour, "kept signing"},
		{9 * 24 * time.Hour, "over signing"},
	} {
		at := now.Add(c.after)
		if got := fmt.Sprint(all[0].Stage(at), " ", all[1].Stage(at)); got != c.want {
			t.Errorf("after %v they are %s, want %s", c.after, got, c.want)
		}
	}
	// Seen before the time has come, it signs from then on, and the other one no more.
	all = Switched(all, now.Add(time.Hour), Pace{})
	if a, b := all[0].Stage(now.Add(time.Hour)), all[1].Stage(now.Add(time.Hour)); a != Kept || b != Signing {
		t.Errorf("they are %s and %s", a, b)
	}
}

func TestIndexIsRefused(t *testing.T) {
	many := strings.Builder{}
	for i := range MaxEntries + 1 {
		fmt.Fprintf(&many, "s%d - - -\n", i)
	}
	for text, want := range map[string]string{
		"one\n":                             "line 1: write SELECTOR",
		"# x\n\none - - - -\n":              "line 3: write SELECTOR",
		"../etc - - -\n":                    "no selector",
		"One - - -\n":                       "no selector",
		"-x - - -\n":                        "no selector",
		"one tomorrow - -\n":                "no instant",
		"one 0001-01-01T00:00:00Z - -\n":    "no instant",
		"one - - -\none - - -\n":            "line 2: the selector one is there twice",
		many.String():                       "more than 100 keys",
		strings.Repeat("#", MaxIndex) + "#": "octets",
	} {
		if _, err := ParseIndex(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}

// FuzzIndex: what is read is printed as something that reads as the same.
func FuzzIndex(f *testing.F) {
	f.Add("# who\none 2026-11-23T12:00:00Z - -\n\ntwo - - -\r\n")
	f.Add("one 2026-11-23T12:00:00+08:00 2027-01-01T00:00:00Z 2027-02-01T00:00:00.5Z")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseIndex(text)
		if err != nil {
			return
		}
		once := FormatIndex(all)
		again, err := ParseIndex(once)
		if err != nil || FormatIndex(again) != once || len(again) != len(all) {
			t.Errorf("%q is printed as %q, and then %q, %v", text, once, FormatIndex(again), err)
		}
	})
}
