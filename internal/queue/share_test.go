package queue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
)

// office is some schedules that share their limits by the pools of a spool.
type office struct {
	t      *testing.T
	now    time.Time
	random *rand.Rand
	pools  map[string]spool.Pool
	desks  []*officeDesk
	limit  int
	begun  []time.Time // deliveries
	most   int         // of them at once
	done   int
	asks   int
	slow   bool // answers come 30 ms after they were given, and one of ten not at all
}

// officeDesk is one schedule.
type officeDesk struct {
	owner   spool.Owner
	sched   *queue.Schedule
	flights map[uint64]flightOf
	dead    bool
	answer  func() // to what was asked; nil: nothing is
	at      time.Time
}

type flightOf struct {
	to    []int
	until time.Time
}

func newOffice(t *testing.T, desks int, limits queue.Limits) *office {
	o := &office{
		t: t, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(1, 2)),
		pools: map[string]spool.Pool{}, limit: limits.Deliveries,
	}
	for i := range desks {
		o.desks = append(o.desks, &officeDesk{
			owner: spool.Owner{Name: fmt.Sprint("node", i), Epoch: uint64(1 + i)}, flights: map[uint64]flightOf{},
			sched: queue.New(queue.Options{Shared: true, Default: queue.Route{Start: 100, Site: queue.Limits{Deliveries: -1}, Destination: limits}}),
		})
	}
	return o
}

// add gives a desk letters to one destination.
func (o *office) add(desk, letters int) {
	for range letters {
		id, err := mail.NewID(o.now, randomBytes{o.random})
		if err != nil {
			o.t.Fatal(err)
		}
		o.desks[desk].sched.Add(o.now, queue.Job{
			Message: id, Sender: "ann", Arrived: o.now,
			To: []queue.Recipient{{Hop: mail.Hop{Route: "default", Transport: "remote", Destination: "sina.example"}}},
		})
	}
}

type randomBytes struct{ *rand.Rand }

func (r randomBytes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return len(b), nil
}

// run lets time go on, ten milliseconds at a time.
func (o *office) run(long time.Duration) {
	for end := o.now.Add(long); o.now.Before(end); o.now = o.now.Add(10 * time.Millisecond) {
		for _, d := range o.desks {
			if !d.dead {
				o.step(d)
			}
		}
		flying := 0
		for _, d := range o.desks {
			flying += len(d.flights)
		}
		o.most = max(o.most, flying)
	}
}

func (o *office) step(d *officeDesk) {
	for id, f := range d.flights {
		if o.now.Before(f.until) {
			continue
		}
		delete(d.flights, id)
		o.done++
		d.sched.Settle(o.now, id, []mail.Outcome{{Recipient: f.to[0], Fate: mail.Relayed, At: o.now}})
	}
	o.ask(d)
	starts, _ := d.sched.Next(o.now)
	for _, s := range starts {
		o.begun = append(o.begun, o.now)
		d.flights[s.ID] = flightOf{s.To, o.now.Add(time.Duration(50+o.random.IntN(400)) * time.Millisecond)}
	}
	if o.now.UnixMilli()%500 != 0 {
		return
	}
	if err := d.sched.Check(); err != nil {
		o.t.Fatal(err)
	}
}

// ask has a desk's shares divided, one call at a time.
func (o *office) ask(d *officeDesk) {
	if d.answer != nil && !o.now.Before(d.at) {
		d.answer()
		d.answer = nil
	}
	if d.answer != nil {
		return
	}
	asks, sent := d.sched.Asks(o.now), o.now
	grants := o.divide(d, asks)
	d.answer, d.at = func() { d.sched.Grant(o.now, sent, asks, grants) }, o.now.Add(30*time.Millisecond)
	switch {
	case len(asks) == 0:
		d.answer = nil
	case !o.slow:
		d.answer()
		d.answer = nil
	case o.random.IntN(10) == 0:
		d.answer = func() { d.sched.Ungranted(o.now, asks) }
	}
}

func (o *office) divide(d *officeDesk, asks []queue.Ask) []queue.Grant {
	grants := make([]queue.Grant, len(asks))
	for i, a := range asks {
		o.asks++
		p := o.pools[a.Name]
		g := p.Grant(d.owner, &spool.Ask{Name: a.Name, Limit: a.Limit, Busy: a.Busy, Want: a.Want, Space: a.Space, Turns: a.Turns}, o.now, o.alive())
		o.pools[a.Name] = p
		grants[i] = queue.Grant{Places: g.Places, Wanted: g.Wanted, Turns: g.Turns, After: g.After}
	}
	return grants
}

func (o *office) alive() (all []spool.Owner) {
	for _, d := range o.desks {
		if !d.dead {
			all = append(all, d.owner)
		}
	}
	return all
}

// TestPlacesAreShared: whoever has mail, the limit holds for all together, all of it is
// used, and nobody is left behind.
func TestPlacesAreShared(t *testing.T) {
	for _, limit := range []int{1, 2, 5, 20} {
		for _, letters := range [][]int{{300}, {300, 0, 0}, {100, 100, 100}, {5, 290, 5}} {
			t.Run(fmt.Sprint(limit, letters), func(t *testing.T) {
				o := newOffice(t, len(letters), queue.Limits{Deliveries: limit})
				for i, n := range letters {
					o.add(i, n)
				}
				began := o.now
				for o.done < 300 && o.now.Sub(began) < time.Hour {
					o.run(time.Second)
				}
				took := o.now.Sub(began)
				if o.most != limit {
					t.Errorf("%d at once", o.most)
				}
				ideal := 300 * 250 * time.Millisecond / time.Duration(limit)
				if o.done < 300 || took > ideal*3/2+8*time.Second {
					t.Errorf("%d letters in %v, and %v is what it takes", o.done, took, ideal)
				}
				o.run(time.Minute)
				if o.asks > 40*int(took/time.Second)+300*len(letters) {
					t.Errorf("%d asks in %v", o.asks, took)
				}
				for name, p := range o.pools {
					if len(p.Claims) > 0 {
						t.Errorf("%s is kept: %+v", name, p)
					}
				}
			})
		}
	}
}

// TestEachTellsItsShare: what schedules say of their shares adds up to no more than the limit,
// and while there is mail to all of it.
func TestEachTellsItsShare(t *testing.T) {
	o := newOffice(t, 3, queue.Limits{Deliveries: 5})
	o.add(0, 100)
	o.add(1, 100)
	o.run(4 * time.Second)
	places, busy := 0, 0
	for i, d := range o.desks {
		st, known := d.sched.Destination(mail.Hop{Route: "default", Transport: "remote", Destination: "sina.example"})
		if i == 2 {
			if known {
				t.Errorf("one without mail tells %+v", st.Shared)
			}
			continue
		}
		if len(st.Shared) != 2 || st.Shared[0].By != queue.ByDestination || st.Shared[0].Limit != 5 || st.Shared[1].By != queue.ByRoute {
			t.Fatalf("it tells %+v", st.Shared)
		}
		places, busy = places+st.Shared[0].Places, busy+st.Shared[0].Busy
	}
	if flying := len(o.desks[0].flights) + len(o.desks[1].flights); places != 5 || busy != flying {
		t.Errorf("%d places, and %d of %d under way", places, busy, flying)
	}
}

// TestPlacesOfSlowAnswers: what a node had while it asked may be another's before the answer
// comes, and when none comes nobody knows. The limit holds even so.
func TestPlacesOfSlowAnswers(t *testing.T) {
	for _, limit := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			o := newOffice(t, 3, queue.Limits{Deliveries: limit})
			o.slow = true
			for n := range 300 { // a few now and then, so that places come and go
				o.add(o.random.IntN(3), 1+n%4)
				o.run(time.Duration(o.random.IntN(800)) * time.Millisecond)
			}
			o.run(10 * time.Minute)
			if o.most != limit || o.done != 750 {
				t.Errorf("%d letters, %d at once", o.done, o.most)
			}
		})
	}
}

// TestTurnsAreShared: what all begin together keeps to the rate, and one alone may have all of it.
func TestTurnsAreShared(t *testing.T) {
	for _, limits := range []queue.Limits{{Rate: 30, Per: time.Minute}, {Rate: 20, Per: time.Second}, {Deliveries: 2, Rate: 3, Per: time.Second}} {
		for _, letters := range [][]int{{60}, {60, 0, 0}, {20, 20, 20}, {1, 58, 1}} {
			t.Run(fmt.Sprint(limits, letters), func(t *testing.T) {
				o := newOffice(t, len(letters), limits)
				for i, n := range letters {
					o.add(i, n)
				}
				began := o.now
				for o.done < 60 && o.now.Sub(began) < time.Hour {
					o.run(time.Second)
				}
				if n := mostWithin(o.begun, limits.Per); n > limits.Rate+max(1, limits.Rate/20) {
					t.Errorf("%d began within %v", n, limits.Per)
				}
				ideal := 60 * limits.Per / time.Duration(limits.Rate)
				if took := o.now.Sub(began); o.done < 60 || took > ideal*3/2+6*time.Second {
					t.Errorf("%d letters in %v, and %v is what it takes", o.done, took, ideal)
				}
			})
		}
	}
}

// mostWithin is how many instants lie within any span of that length.
func mostWithin(at []time.Time, span time.Duration) (most int) {
	for i := range at {
		n := 0
		for _, b := range at[i:] {
			if b.Sub(at[i]) < span {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// TestTheShareOfADeadDesk is the others'.
func TestTheShareOfADeadDesk(t *testing.T) {
	o := newOffice(t, 2, queue.Limits{Deliveries: 4})
	o.add(0, 100)
	o.run(2 * time.Second)
	o.add(1, 100)
	o.desks[0].dead = true
	o.desks[0].flights = nil
	before := o.done
	o.run(30 * time.Second)
	if o.done-before != 100 || o.most != 4 {
		t.Errorf("%d letters of 100, %d at once", o.done-before, o.most)
	}
}

// TestShareLost: whose epoch is over has no places, says what is still under way, and begins
// nothing beyond what it gets.
func TestShareLost(t *testing.T) {
	o := newOffice(t, 2, queue.Limits{Deliveries: 4})
	o.add(0, 100)
	o.run(time.Second)
	o.desks[0].owner.Epoch = 9
	o.desks[0].sched.Unshare(o.now)
	if err := o.desks[0].sched.Check(); err != nil {
		t.Fatal(err)
	}
	o.run(40 * time.Second)
	if o.done != 100 || o.most != 4 {
		t.Errorf("%d letters of 100, %d at once", o.done, o.most)
	}
}
