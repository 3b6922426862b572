package queue_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/smtp"
)

// post makes jobs with one recipient each.
type post struct {
	s   *queue.Schedule
	n   uint64
	now time.Time
}

func (p *post) add(t testing.TB, sender, destination string, priority int) mail.ID {
	t.Helper()
	p.n++
	var id mail.ID
	binary.BigEndian.PutUint64(id[4:], p.n)
	j := queue.Job{Message: id, Sender: sender, Arrived: p.now, Priority: priority, To: []queue.Recipient{{Hop: hop(destination, "mx")}}}
	if refused := p.s.Add(p.now, j); len(refused) > 0 {
		t.Fatalf("no room for %s to %s", sender, destination)
	}
	return id
}

// startsUntil settles everything that starts, keeps the flood high, and returns
// how many others started before the message did.
func (p *post) startsUntil(t testing.TB, id mail.ID, flood func()) int {
	t.Helper()
	for n := 0; n < 100_000; {
		starts, _ := p.s.Next(p.now)
		for _, d := range starts {
			if d.Message == id {
				return n
			}
			n++
			p.s.Settle(p.now, d.ID, []mail.Outcome{{Fate: mail.Relayed}})
			flood()
		}
	}
	t.Fatal("it never starts")
	return 0
}

// TestNobodyStarves says how long one message waits, in starts of others, while
// a flood is kept up before it.
func TestNobodyStarves(t *testing.T) {
	one := queue.Limits{Deliveries: 1}
	for _, c := range []struct {
		name  string
		opts  queue.Options
		flood func(t *testing.T, p *post)
		most  int
	}{
		{
			"a sender who floods the same destination",
			queue.Options{Default: queue.Route{Destination: one}},
			func(t *testing.T, p *post) { p.add(t, "flooder", "d", 0) }, 2,
		},
		{
			"a flood of a higher priority to the same destination",
			queue.Options{Default: queue.Route{Destination: one}},
			func(t *testing.T, p *post) { p.add(t, "flooder", "d", 9) }, 8,
		},
		{
			"a flood of a higher priority by the same sender",
			queue.Options{Default: queue.Route{Destination: one}},
			func(t *testing.T, p *post) { p.add(t, "quiet", "d", 9) }, 8,
		},
		{
			"a flood to another destination of the site",
			queue.Options{Default: queue.Route{All: one}},
			func(t *testing.T, p *post) { p.add(t, "flooder", "e", 0) }, 2,
		},
		{
			// The connection to the other site is used again, eight times.
			"a flood to another site, where the house is full",
			queue.Options{Deliveries: 1},
			func(t *testing.T, p *post) { p.add(t, "flooder", "e", 0) }, 10,
		},
		{
			"a flood of a higher priority to another site, where the house is full",
			queue.Options{Deliveries: 1},
			func(t *testing.T, p *post) { p.add(t, "flooder", "e", 9) }, 8,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &post{s: queue.New(c.opts), now: start}
			for range 100 {
				c.flood(t, p)
			}
			id := p.add(t, "quiet", "d", 0)
			if n := p.startsUntil(t, id, func() { c.flood(t, p) }); n > c.most {
				t.Errorf("it waits for %d starts, more than %d", n, c.most)
			}
		})
	}
}

// TestASlowDestinationHoldsUpNobody fills every place of a destination that
// does not answer, and sees others go on.
func TestASlowDestinationHoldsUpNobody(t *testing.T) {
	p := &post{s: queue.New(queue.Options{}), now: start}
	for range 1000 {
		p.add(t, "a", "slow", 0)
	}
	stuck, _ := p.s.Next(p.now)
	if len(stuck) == 0 || len(stuck) > 5 {
		t.Fatalf("%d deliveries to a destination of which nothing is known", len(stuck))
	}
	for i := range 1000 {
		id := p.add(t, "a", fmt.Sprintf("quick%d", i%10), 0)
		starts, _ := p.s.Next(p.now)
		if len(starts) != 1 || starts[0].Message != id {
			t.Fatalf("message %d: %+v starts", i, starts)
		}
		p.s.Settle(p.now, starts[0].ID, []mail.Outcome{{Fate: mail.Relayed}})
	}
}

// TestConnectionsAreUsedAgain counts how often the next delivery of a full
// house goes where the last one went, so that its connection can be used.
func TestConnectionsAreUsedAgain(t *testing.T) {
	p := &post{s: queue.New(queue.Options{Deliveries: 1}), now: start}
	for i := range 1000 {
		p.add(t, "a", fmt.Sprintf("d%d", i%10), 0)
	}
	changes, last := 0, ""
	for range 1000 {
		starts, _ := p.s.Next(p.now)
		if len(starts) != 1 {
			t.Fatalf("%d deliveries", len(starts))
		}
		if d := starts[0].Hop.Destination; d != last {
			changes, last = changes+1, d
		}
		p.s.Settle(p.now, starts[0].ID, []mail.Outcome{{Fate: mail.Relayed}})
	}
	if changes > 150 {
		t.Errorf("%d connections for 1000 messages", changes)
	}
}

// TestSameSeedSameStory lives the same life twice, in a process whose maps are
// in another order each time.
func TestSameSeedSameStory(t *testing.T) {
	for seed := range uint64(8) {
		if a, b := storm(t, seed, 1), storm(t, seed, 1); a != b {
			t.Fatalf("seed %d: two stories:\n%s\n%s", seed, a, b)
		}
	}
	if storm(t, 1, 1) == storm(t, 1, 2) {
		t.Error("the seed of the schedule changes nothing")
	}
}

// storm is a life with many messages to many recipients, told.
func storm(t *testing.T, life, seed uint64) string {
	t.Helper()
	var story strings.Builder
	dice := rand.New(rand.NewPCG(life, 0))
	s := queue.New(queue.Options{Seed: seed, Window: 500, Deliveries: 10, Default: queue.Route{
		Retry: queue.Retry{{Min: time.Minute, Max: time.Hour}}, Batch: 3,
	}})
	player := player{}
	now := start
	for n := range 200 {
		var id mail.ID
		binary.BigEndian.PutUint64(id[4:], uint64(n))
		j := queue.Job{Message: id, Sender: fmt.Sprint(dice.IntN(3)), Arrived: now, Priority: dice.IntN(3)}
		for i := range 1 + dice.IntN(20) {
			d := dice.IntN(12)
			j.To = append(j.To, queue.Recipient{Index: i, Hop: hop(fmt.Sprint(d), "mx"), Site: fmt.Sprint(d % 4)})
		}
		fmt.Fprintln(&story, s.Add(now, j))
		starts, decisions := s.Next(now)
		fmt.Fprintln(&story, starts, decisions)
		for _, d := range starts {
			var outcomes []mail.Outcome
			for _, i := range d.To {
				answer := []string{"ok", "450", "550", "down"}[dice.IntN(4)]
				outcomes = append(outcomes, player.outcome(i, answer))
			}
			decision, _ := s.Settle(now, d.ID, outcomes)
			for _, c := range decision.Changes {
				fmt.Fprintln(&story, c.Recipient, c.Fate, c.Again, c.Report)
			}
		}
		fmt.Fprintln(&story, s.Want(now))
		now = now.Add(time.Duration(dice.IntN(600)) * time.Second)
	}
	return story.String()
}

// TestDestinationsAtTheirLimitAreNotVisited counts the steps that a delivery to
// a free destination takes while 100,000 others are at their limit, or 10,000
// are shut or wait for their rate.
func TestDestinationsAtTheirLimitAreNotVisited(t *testing.T) {
	for _, c := range []struct {
		name   string
		others int
		limit  queue.Limits
		busy   string // what becomes of the deliveries of the others
	}{
		{"at their limit", 100_000, queue.Limits{Deliveries: 1}, ""},
		{"down", 10_000, queue.Limits{Deliveries: 1}, "down"},
		{"waiting for their rate", 10_000, queue.Limits{Deliveries: 1, Rate: 1, Per: time.Hour}, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			few, many := stepsBeside(t, 100, c.limit, c.busy), stepsBeside(t, c.others, c.limit, c.busy)
			t.Logf("%d steps beside 100 destinations, %d beside %d", few, many, c.others)
			if many > few+40 { // a heap of 100,000 is 10 levels deeper, for each of a few moves
				t.Errorf("%d steps beside 100 destinations, %d beside %d", few, many, c.others)
			}
		})
	}
}

// stepsBeside returns how many steps one message takes from Add to Settle
// beside so many destinations with mail that cannot start.
func stepsBeside(t *testing.T, n int, limit queue.Limits, busy string) int {
	t.Helper()
	p := &post{now: start, s: queue.New(queue.Options{
		Window: 10_000_000, Deliveries: 1_000_000,
		Default: queue.Route{All: queue.Limits{Deliveries: -1}, Destination: limit},
	})}
	for i := range n {
		p.add(t, "a", fmt.Sprint(i), 0)
		p.add(t, "a", fmt.Sprint(i), 0)
	}
	starts, _ := p.s.Next(p.now)
	if len(starts) != n {
		t.Fatalf("%d starts", len(starts))
	}
	if busy != "" {
		for _, d := range starts {
			p.s.Settle(p.now, d.ID, []mail.Outcome{(&player{now: p.now}).outcome(0, busy)})
		}
	}
	before := p.s.Steps()
	id := p.add(t, "b", "free", 0)
	p.now = p.now.Add(time.Second)
	starts, _ = p.s.Next(p.now)
	if len(starts) != 1 || starts[0].Message != id {
		t.Fatalf("%d start", len(starts))
	}
	p.s.Settle(p.now, starts[0].ID, []mail.Outcome{{Fate: mail.Deferred, Reply: smtp.Replyf(450, smtp.EnhancedCode{}, "later")}})
	return p.s.Steps() - before
}

// TestTheWindowIsSharedFairly floods the window with mail to some destinations,
// and sees what each of them may hold.
func TestTheWindowIsSharedFairly(t *testing.T) {
	for _, flooded := range []int{1, 5, 20, 200, 2000} {
		s := queue.New(queue.Options{Window: 1000})
		held := map[string]int{}
		for n := range 5000 {
			for i := range flooded {
				if flooded*n > 100_000 {
					break
				}
				var id mail.ID
				binary.BigEndian.PutUint64(id[4:], uint64(n*flooded+i))
				d := fmt.Sprint(i)
				j := queue.Job{Message: id, Arrived: start, To: []queue.Recipient{{Hop: hop(d, "mx")}}}
				if len(s.Add(start, j)) == 0 {
					held[d]++
				}
			}
		}
		least, most := 1000, 0
		for i := range min(flooded, 1000) {
			least, most = min(least, held[fmt.Sprint(i)]), max(most, held[fmt.Sprint(i)])
		}
		t.Logf("%d destinations: %d to %d of a window of 1000, room for %d", flooded, least, most, s.Load().Room)
		if most > 100 || most > least+2 {
			t.Errorf("%d destinations hold %d to %d of a window of 1000", flooded, least, most)
		}
		if flooded <= 200 && s.Load().Room == 0 {
			t.Errorf("%d destinations leave no room for another", flooded)
		}
	}
}

// TestDownIsKnownOnce counts what it costs to learn that a destination is down
// for which 10 or 10,000 messages wait.
func TestDownIsKnownOnce(t *testing.T) {
	steps := func(waiting int) int {
		p := &post{now: start, s: queue.New(queue.Options{Window: 1_000_000})}
		for range waiting {
			p.add(t, "a", "d", 0)
		}
		starts, _ := p.s.Next(p.now)
		before := p.s.Steps()
		for _, d := range starts {
			p.s.Settle(p.now, d.ID, []mail.Outcome{(&player{now: p.now}).outcome(0, "down")})
		}
		for range 6 { // probes
			p.now = p.s.Wake()
			starts, _ = p.s.Next(p.now)
			if len(starts) != 1 || !starts[0].Probe {
				t.Fatalf("%d starts", len(starts))
			}
			p.s.Settle(p.now, starts[0].ID, []mail.Outcome{(&player{now: p.now}).outcome(0, "down")})
		}
		return p.s.Steps() - before
	}
	if few, many := steps(10), steps(10_000); many > few+10*20 {
		t.Errorf("%d steps if 10 wait, %d if 10,000 do", few, many)
	}
}

// TestDestinationsWithoutMailAreForgotten sends one message each to more
// destinations than are remembered.
func TestDestinationsWithoutMailAreForgotten(t *testing.T) {
	p := &post{now: start, s: queue.New(queue.Options{})}
	const many = 30_000
	for i := range many {
		p.add(t, "a", fmt.Sprint(i), 0)
		starts, _ := p.s.Next(p.now)
		p.s.Settle(p.now, starts[0].ID, []mail.Outcome{{Fate: mail.Relayed}})
	}
	if n := p.s.Load().Destinations; n != 10_000 {
		t.Errorf("%d destinations are remembered", n)
	}
	if _, known := p.s.Destination(hop(fmt.Sprint(many-1), "mx")); !known {
		t.Error("the last one is forgotten")
	}
	if err := p.s.Check(); err != nil {
		t.Error(err)
	}
}

// TestTimesBeyondTheCalendar holds a message until the year 9999.
func TestTimesBeyondTheCalendar(t *testing.T) {
	s := queue.New(queue.Options{})
	s.Add(start, queue.Job{
		Arrived: start, Hold: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		By: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), ByMode: smtp.ByReturn,
		To: []queue.Recipient{{Hop: hop("d", "mx")}},
	})
	starts, decisions := s.Next(start.AddDate(50, 0, 0))
	if len(starts) > 0 || len(decisions) > 0 {
		t.Errorf("%v, %v", starts, decisions)
	}
}
