package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// TestOrdersAboutThoseWhoWaitTheirTurn: a slow destination holds two at a time;
// those behind them are in the window and not in flight.
func TestOrdersAboutThoseWhoWaitTheirTurn(t *testing.T) {
	in(t, func(w *world) {
		for i := range 6 {
			w.road.at(fmt.Sprintf("user%d@sina.example", i), after(time.Hour, relays))
		}
		var ids []mail.ID
		for i := range 6 {
			ids = append(ids, w.send(fmt.Sprintf("user%d@sina.example", i)))
			time.Sleep(time.Second)
		}
		w.order(ids[2], spool.Hold)
		w.order(ids[3], spool.Remove)
		w.order(ids[4], spool.Bounce)
		time.Sleep(5 * time.Hour)
		w.check("19-orders-about-those-who-wait")
		page, err := w.spool.List(w.Context(), spool.Query{})
		if err != nil || len(page.Items) != 1 || page.Items[0].Envelope.ID != ids[2] || page.Items[0].Place != spool.Held {
			w.Errorf("in the spool: %+v, %v", page.Items, err)
		}
	})
}

// TestOneOfManyIsHeld: an order about one recipient leaves the others as they are.
func TestOneOfManyIsHeld(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("slow@sina.example", after(time.Minute, relays))
		w.send("slow@sina.example")
		w.send("slow@sina.example")
		id := w.send("ann@sina.example", "bob@sina.example", "eve@sina.example")
		time.Sleep(time.Second)
		one := 1
		q := spool.Query{Filter: spool.Filter{ID: id, Recipient: &one}}
		if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: spool.Hold, At: time.Now(), By: "root"}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Hour)
		if w.count("relayed to=<ann@") != 1 || w.count("relayed to=<eve@") != 1 || w.count("relayed to=<bob@") != 0 {
			w.Error(w.told())
		}
	})
}

// TestAnOrderIsCarriedOutOnce: mail that was tried again by order some time ago
// does not knock at a destination that is known to be down.
func TestAnOrderIsCarriedOutOnce(t *testing.T) {
	in(t, func(w *world) {
		down := mail.Outcome{Fate: mail.Deferred, Local: true, HostDown: true, Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "no answer")}
		w.road.at("bob@sina.example", greylisted)
		w.road.at("eve@sina.example", says(down))
		id := w.send("bob@sina.example")
		time.Sleep(10 * time.Second)
		w.order(id, spool.Retry) // and due again in 5 minutes
		time.Sleep(4*time.Minute + 55*time.Second)
		w.send("eve@sina.example")
		time.Sleep(30 * time.Second)
		if n := w.road.tried("bob@sina.example"); n != 2 {
			w.Errorf("tried %d times:\n%s", n, w.told())
		}
	})
}

// TestTheJournalTellsTheSameStory: what can be asked for afterwards is what was
// told when it happened.
func TestTheJournalTellsTheSameStory(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, greylisted))
		w.road.at("eve@sina.example", refuses)
		id := w.send("bob@sina.example", "eve@sina.example")
		time.Sleep(10 * time.Second)
		w.order(id, spool.Retry)
		time.Sleep(time.Hour)
		told := w.told()
		page, err := w.spool.Facts(context.Background(), spool.FactQuery{})
		if err != nil {
			w.Fatal(err)
		}
		var entries []event.Entry
		for _, f := range page.Facts {
			e, err := event.Parse(f.Data)
			if err != nil {
				w.Fatal(err)
			}
			entries = append(entries, event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e})
		}
		w.story = nil
		for _, e := range event.Story(entries) {
			w.observe(e)
		}
		for line := range strings.Lines(w.told()) {
			if _, words, _ := strings.Cut(line, " m"); !strings.Contains(told, " m"+words) {
				w.Errorf("the journal has %q, and it was told:\n%s", words, told)
			}
		}
		if a, b := strings.Count(w.told(), "\n"), strings.Count(told, "\n"); a != b || a < 8 {
			w.Errorf("%d entries in the journal, %d told", a, b)
		}
	})
}
