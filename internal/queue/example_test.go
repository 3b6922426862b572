package queue_test

import (
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/smtp"
)

// What a desk does with a schedule: it brings in mail, starts what Next says,
// tells Settle what came of it, and records the decision.
func Example() {
	now := time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)
	s := queue.New(queue.Options{Default: queue.Route{
		Retry:       queue.Retry{{Min: 5 * time.Minute}},
		Destination: queue.Limits{Deliveries: 4, Rate: 60, Per: time.Hour},
	}})

	sina := mail.Hop{Route: "mx", Transport: "remote", Destination: "sina.com"}
	job := queue.NewJob(&mail.Envelope{ID: mail.ID{1}, Arrived: now})
	job.To = []queue.Recipient{{Index: 0, Hop: sina}, {Index: 1, Hop: sina}}
	if refused := s.Add(now, job); len(refused) > 0 {
		fmt.Println("no room; they wait in the spool:", refused)
	}

	greylisted := smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "come back later")
	for range 2 {
		starts, _ := s.Next(now)
		for _, d := range starts {
			fmt.Println(now.Format("15:04"), d.Hop.Destination, d.To)
			outcomes := []mail.Outcome{{Recipient: 1, Fate: mail.Relayed}}
			if d.To[0] == 0 {
				outcomes = []mail.Outcome{{Recipient: 0, Fate: mail.Relayed}, {Recipient: 1, Fate: mail.Deferred, Reply: greylisted}}
			}
			decision, _ := s.Settle(now, d.ID, outcomes)
			for _, c := range decision.Changes { // to be recorded; and who is deferred comes back
				fmt.Println("  recipient", c.Recipient, c.Fate)
				if c.Fate == mail.Deferred {
					job.To = []queue.Recipient{{Index: c.Recipient, Hop: sina, State: c.State}}
					s.Add(now, job)
				}
			}
		}
		now = s.Wake()
	}
	// Output:
	// 10:00 sina.com [0 1]
	//   recipient 0 relayed
	//   recipient 1 deferred
	// 10:05 sina.com [1]
	//   recipient 1 relayed
}
