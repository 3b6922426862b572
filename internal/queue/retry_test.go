package queue_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
)

// TestRetryPrints as people write it.
func TestRetryPrints(t *testing.T) {
	for in, want := range map[string]string{
		"1m 5m 15m 1h..4h": "1m, 5m, 15m, 1h..4h",
		"90s":              "1m30s",
		"1h30m..2h 1s":     "1h30m..2h, 1s",
		"720h":             "720h",
	} {
		if r, err := queue.ParseRetry(strings.Fields(in)...); err != nil || r.String() != want {
			t.Errorf("%q: %s, %v, want %s", in, r, err, want)
		}
	}
}

// TestMailThatFailedTogetherComesBackApart draws a thousand times from a range.
func TestMailThatFailedTogetherComesBackApart(t *testing.T) {
	s := queue.New(queue.Options{Seed: 7, Default: queue.Route{
		Retry:       queue.Retry{{Min: time.Hour, Max: 2 * time.Hour}},
		Destination: queue.Limits{Deliveries: -1}, Site: queue.Limits{Deliveries: -1},
	}})
	p := &post{s: s, now: start}
	var tenths [10]int
	for range 1000 {
		p.add(t, "a", "d", 0)
		starts, _ := s.Next(start)
		decision, _ := s.Settle(start, starts[0].ID, []mail.Outcome{{Fate: mail.Deferred, Reply: later}})
		after := decision.Changes[0].State.Next.Sub(start)
		if after < time.Hour || after > 2*time.Hour {
			t.Fatalf("again after %v", after)
		}
		tenths[min(int((after-time.Hour)/(6*time.Minute)), 9)]++
	}
	for i, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("%d of 1000 in the tenth %d of the range", n, i)
		}
	}
}

// TestALongListCostsNoMore puts 100,000 recipients of one message through
// deliveries of one each: the steps of each do not grow with the list.
func TestALongListCostsNoMore(t *testing.T) {
	steps := func(n int) int {
		s := queue.New(queue.Options{Window: 20 * n, Default: queue.Route{Batch: 1}})
		j := queue.Job{Arrived: start}
		binary.BigEndian.PutUint64(j.Message[:], 1)
		for i := range n {
			j.To = append(j.To, queue.Recipient{Index: i, Hop: hop("d", "mx")})
		}
		if refused := s.Add(start, j); len(refused) > 0 {
			t.Fatal("no room")
		}
		began := time.Now()
		for done := 0; done < n; {
			starts, _ := s.Next(start)
			for _, d := range starts {
				done++
				s.Settle(start, d.ID, []mail.Outcome{{Recipient: d.To[0], Fate: mail.Relayed}})
			}
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%d recipients took %v", n, took)
		}
		return s.Steps() / n
	}
	if few, many := steps(100), steps(100_000); many > few+2 {
		t.Errorf("%d steps each for 100 recipients, %d for 100,000", few, many)
	}
}
