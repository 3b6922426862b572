//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// TestMain lets this test program be the warden, the baseline and the yardstick that it starts.
func TestMain(m *testing.M) {
	warden.Main()
	if err := becomePeer(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"", "accept-4k-20 accept-4k-100 accept-40k-20 accept-4k-20-new relay-4k-20 relay-40k-20 maildir-4k-20 tls-new tls-4k-20 large large-100"},
		{"idle, accept-4k-20", "idle accept-4k-20"},
		{"relay-*,backlog", "relay-4k-20 relay-40k-20 backlog"},
	} {
		chosen, err := choose(workloads(1), c.list)
		var names []string
		for _, w := range chosen {
			names = append(names, w.name)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%q: %s, %v, want %s", c.list, got, err, c.want)
		}
	}
	for _, list := range []string{"accept", "nothing-*", "idle,", "accept-4k-20*x"} {
		if chosen, err := choose(workloads(1), list); err == nil {
			t.Errorf("%q chooses %d workloads", list, len(chosen))
		}
	}
}

func TestTheCommandLine(t *testing.T) {
	for _, args := range []string{"-reps 0", "-each 0s", "-limit -1s", "-backlog 0", "accept-4k-20"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	o, err := parse([]string{"-dir", "somewhere", "-reps", "9"})
	if err != nil || o.reps != 9 || !strings.HasPrefix(o.dir, "/") {
		t.Errorf("got %+v, %v", o, err)
	}
}

// TestWorkloads: names are unique, and a goal is about a figure that the table shows.
func TestWorkloads(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads(1000) {
		if seen[w.name] || w.about == "" || w.measure == nil || len(w.columns) == 0 {
			t.Errorf("%+v", w)
		}
		seen[w.name] = true
		for _, g := range w.goals {
			shown := slices.ContainsFunc(w.columns, func(c column) bool { return c.figure == g.figure })
			if !shown || g.times && g.figure != w.columns[0].figure || (g.least == 0) == (g.most == 0) {
				t.Errorf("%s: goal %+v", w.name, g)
			}
		}
	}
}
