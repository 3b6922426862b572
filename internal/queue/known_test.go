package queue_test

import (
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
)

// TestDestinationsAreKnownByName: by each route that leads there, and no others.
func TestDestinationsAreKnownByName(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	s := queue.New(queue.Options{Routes: map[string]queue.Route{"slow": {Batch: 7}}})
	for i, h := range []mail.Hop{
		{Route: "out", Destination: "a.example"},
		{Route: "slow", Destination: "a.example"},
		{Route: "out", Destination: "b.example"},
	} {
		s.Add(now, queue.Job{Message: mail.ID{1, byte(i)}, To: []queue.Recipient{{Hop: h}}})
	}
	known := s.Known([]string{"a.example", "c.example"})
	if len(known) != 2 || known[0].Hop.Route != "out" || known[1].Hop.Route != "slow" || known[0].Recipients != 1 {
		t.Errorf("known: %+v", known)
	}
	if got := s.Settings("slow"); got.Batch != 7 || got.Destination.Deliveries == 0 {
		t.Errorf("settings without defaults: %+v", got)
	}
}
