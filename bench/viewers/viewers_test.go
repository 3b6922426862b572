//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

func TestMain(m *testing.M) {
	warden.Main()
	os.Exit(m.Run())
}

// TestAPair: a small pair of each scene, in which every viewer sees something.
func TestAPair(t *testing.T) {
	t.Chdir("..") // where viewers.hcl is
	dir := t.TempDir()
	program, err := build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes() {
		r, err := measure(t.Context(), program, s, options{pairs: 1, viewers: 8, least: 20, each: time.Millisecond, dir: dir})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if p := r.Pairs[0]; r.Messages != 20 || p.Alone.Rate <= 0 || p.Watched.Rate <= 0 || p.Alone.Volume != 0 {
			t.Errorf("%s: %+v", s.Name, r)
		}
		var out strings.Builder
		if err := r.print(&out); err != nil || !strings.Contains(out.String(), "8 viewers") || !strings.Contains(out.String(), "medians: ") {
			t.Errorf("%v:\n%s", err, out.String())
		}
	}
}

func TestTheCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-pairs", "0"}, {"-viewers", "0"}, {"-each", "0s"}, {"x"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if _, err := pick("nothing"); err == nil {
		t.Error("there is a scene nothing")
	}
	if all, err := pick(""); err != nil || len(all) != 2 {
		t.Errorf("%d scenes, %v", len(all), err)
	}
	if one, err := pick("inbox"); err != nil || len(one) != 1 || one[0].Relays {
		t.Errorf("%+v, %v", one, err)
	}
}

func TestMedian(t *testing.T) {
	r := result{Pairs: []pair{{Watched: side{Rate: 3}}, {Watched: side{Rate: 1}}, {Watched: side{Rate: 8}}}}
	if got := r.median(func(p pair) float64 { return p.Watched.Rate }); got != 3 {
		t.Errorf("of three: %v", got)
	}
	r.Pairs = append(r.Pairs, pair{Watched: side{Rate: 4}})
	if got := r.median(func(p pair) float64 { return p.Watched.Rate }); got != 3.5 {
		t.Errorf("of four: %v", got)
	}
}
