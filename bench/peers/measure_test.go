//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

// small is a bench that takes no longer than a test may, with our own source and
// sink, so that it is the same everywhere.
func small(t *testing.T) bench {
	return bench{dir: t.TempDir(), each: 20 * time.Millisecond, limit: 20 * time.Second}
}

// TestARoundOfEach measures the baseline in what it knows.
func TestARoundOfEach(t *testing.T) {
	b := small(t)
	for _, w := range workloads(1) {
		w.load.Messages = min(w.load.Messages, 50)
		want := []string{rate, cost, cores, others}
		switch {
		case w.name == "tls-new":
			want = []string{handshakes, handshakeCost, cores, others}
		case w.mode != hold && w.mode != secure:
			if (baseline{}).knows(w.mode) {
				t.Errorf("the baseline knows %s", w.mode)
			}
			continue
		case strings.HasPrefix(w.name, "large"):
			w.load.Sessions, w.load.Messages, w.load.Size = 5, 5, 1<<20
			want = []string{volume, session, cost, peak}
		case w.name == "idle":
			want = []string{session, opening}
		}
		rounds := b.rounds(t.Context(), w, []peer{modest{}}, 2)
		if len(rounds) != 2 {
			t.Errorf("%s: %d rounds", w.name, len(rounds))
		}
		for _, r := range rounds {
			for _, figure := range want {
				v, ok := r.Figures[figure]
				if mayBeZero := figure != rate && figure != handshakes && figure != peak; !ok || v == 0 && !mayBeZero {
					t.Errorf("%s: no %s in %+v", w.name, figure, r)
				}
			}
		}
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// modest is a baseline to which few come.
type modest struct{ baseline }

func (modest) crowd() int { return 20 }

// TestTheYardstick measures it in what it knows.
func TestTheYardstick(t *testing.T) {
	b := small(t)
	for _, w := range mailWorkloads() {
		if !(ceiling{}).knows(w.mode) {
			continue
		}
		w.load.Messages = min(w.load.Messages, 50)
		for _, r := range b.rounds(t.Context(), w, []peer{ceiling{}}, 1) {
			if r.Error != "" || r.Figures[rate] <= 0 {
				t.Errorf("%s: %+v", w.name, r)
			}
		}
	}
}

// TestAServerThatDoesNotStart: the round fails with its last words, and the others
// go on.
func TestAServerThatDoesNotStart(t *testing.T) {
	b := small(t)
	w, err := choose(workloads(1), "accept-4k-20")
	if err != nil {
		t.Fatal(err)
	}
	w[0].load.Messages = 20
	stderr := os.Stderr
	os.Stderr, _ = os.Open(os.DevNull) // what a person would be told
	rounds := b.rounds(t.Context(), w[0], []peer{broken{}, baseline{}}, 1)
	os.Stderr = stderr
	if len(rounds) != 2 || !strings.Contains(rounds[0].Error, "broken does not greet") || !strings.Contains(rounds[0].Error, `it said: "I cannot"`) {
		t.Errorf("got %+v", rounds)
	}
	if rounds[1].Error != "" || rounds[1].Figures[rate] <= 0 {
		t.Errorf("the next has %+v", rounds[1])
	}
}

type broken struct{ baseline }

func (broken) name() string { return "broken" }
func (broken) order(place) (warden.Order, error) {
	return warden.Order{Command: []string{"sh", "-c", "echo I cannot; exit 1"}}, nil
}

// TestARoundEnds: one that takes too long fails.
func TestARoundEnds(t *testing.T) {
	b := small(t)
	b.limit = time.Nanosecond
	w, _ := choose(workloads(1), "accept-4k-20")
	if _, err := w[0].measure(t.Context(), b, baseline{}, w[0]); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestTheSinkOfARelay: what a server relays is counted from the first message on.
func TestTheSinkOfARelay(t *testing.T) {
	b := small(t)
	r, err := b.start(t.Context(), baseline{}, relay, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.end()
	if _, err := (load.Load{Sessions: 2, Messages: 3, Size: 100}).Send(t.Context(), r.place.sink()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.delivered(ctx, 3); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.delivered(ctx, 4); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a fourth of three: %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := files(dir); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := files(dir + "/none"); n != 0 || err != nil {
		t.Errorf("what is not there: %d, %v", n, err)
	}
}
