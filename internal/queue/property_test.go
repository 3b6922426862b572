package queue_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/smtp"
)

// world is a spool, some hosts and a clock around a schedule. It holds what the
// schedule does against what it promises.
type world struct {
	t       *rapid.T
	s       *queue.Schedule
	opts    queue.Options
	now     time.Time
	seq     int
	mail    map[key]*recipient // everything accepted and not done with
	order   []key
	flights []queue.Delivery
	begun   map[string][]time.Time // per node with a rate
	down    map[string]time.Time   // what the schedule was told, since when
	log     strings.Builder
}

type key struct {
	id    mail.ID
	index int
}

// recipient is what the spool knows.
type recipient struct {
	job       queue.Job
	to        queue.Recipient
	state     queue.State
	notBefore time.Time // of the last change; an operator may say otherwise
	again     time.Time
	window    bool
	flying    bool
	fate      mail.Fate
}

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

var later = smtp.Replyf(450, smtp.EnhancedCode{4, 2, 0}, "later")

func newWorld(t *rapid.T) *world {
	o := queue.Options{
		Seed:       rapid.Uint64().Draw(t, "seed"),
		Window:     rapid.IntRange(5, 60).Draw(t, "window"),
		Deliveries: rapid.IntRange(1, 8).Draw(t, "deliveries"),
	}
	o.Default = queue.Route{
		Batch:  rapid.IntRange(1, 4).Draw(t, "batch"),
		Expire: 12 * time.Hour, Warn: time.Hour,
		All:         drawLimits(t, 6),
		Site:        drawLimits(t, 4),
		Destination: drawLimits(t, 3),
	}
	return &world{
		t: t, s: queue.New(o), opts: o, now: start, mail: map[key]*recipient{},
		begun: map[string][]time.Time{}, down: map[string]time.Time{},
	}
}

func drawLimits(t *rapid.T, most int) queue.Limits {
	l := queue.Limits{Deliveries: rapid.IntRange(1, most).Draw(t, "at once")}
	if rapid.Bool().Draw(t, "rate") {
		l.Rate, l.Per = rapid.IntRange(1, 5).Draw(t, "rate"), 20*time.Second
	}
	return l
}

func (w *world) logf(format string, args ...any) { fmt.Fprintf(&w.log, format+"\n", args...) }

// site is the operator of d0, d1 and d2; the others stand alone.
func site(destination string) string {
	if destination < "d3" {
		return "big"
	}
	return ""
}

// arrive accepts a message, and offers it to the schedule.
func (w *world) arrive(t *rapid.T) {
	w.seq++
	var id mail.ID
	binary.BigEndian.PutUint32(id[8:], uint32(w.seq))
	j := queue.Job{
		Message: id, Sender: fmt.Sprintf("s%d", rapid.IntRange(0, 3).Draw(t, "sender")),
		Arrived: w.now, Priority: rapid.SampledFrom([]int{0, 0, 0, 4, -4}).Draw(t, "priority"),
	}
	if rapid.IntRange(0, 9).Draw(t, "hold") == 0 {
		j.Hold = w.now.Add(time.Minute)
	}
	if rapid.IntRange(0, 9).Draw(t, "by") == 0 {
		j.By = w.now.Add(2 * time.Minute)
		j.ByMode = rapid.SampledFrom([]smtp.ByMode{smtp.ByReturn, smtp.ByNotify}).Draw(t, "mode")
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "recipients") {
		d := fmt.Sprintf("d%d", rapid.IntRange(0, 5).Draw(t, "destination"))
		k := key{id, i}
		r := &recipient{job: j, to: queue.Recipient{Index: i, Hop: hop(d, "mx"), Site: site(d)}, notBefore: j.Hold}
		w.mail[k] = r
		w.order = append(w.order, k)
	}
	w.offer(id)
}

// offer adds those recipients of a message that the spool has and nobody holds.
func (w *world) offer(id mail.ID) {
	var j queue.Job
	var offered []*recipient
	for _, k := range w.order {
		if r := w.mail[k]; k.id == id && r.fate == 0 && !r.window {
			to := r.to
			to.State = r.state
			j.To = append(j.To, to)
			offered = append(offered, r)
		}
	}
	if len(offered) == 0 {
		return
	}
	to := j.To
	j = offered[0].job
	j.To = to
	refused := w.s.Add(w.now, j)
	for _, r := range offered {
		r.window = !slices.Contains(refused, r.to.Index)
	}
	w.logf("add %v, refused %v", id, refused)
}

// lease answers Want as a spool would.
func (w *world) lease() {
	want := w.s.Want(w.now)
	each, room, more := map[string]int{}, want.Room, false
	var ids []mail.ID
	for _, k := range w.order {
		r := w.mail[k]
		d := r.to.Hop.Destination
		due := !r.again.IsZero() && !r.again.After(want.Until) || r.again.IsZero() && want.First
		if r.fate != 0 || r.window || !due {
			continue
		}
		if room == 0 || each[d] >= want.Each || slices.ContainsFunc(want.Skip, func(h mail.Hop) bool { return h == r.to.Hop }) {
			more = true
			continue
		}
		room--
		each[d]++
		to := r.to
		to.State = r.state
		j := r.job
		j.To = []queue.Recipient{to}
		if refused := w.s.Add(w.now, j); len(refused) > 0 {
			w.t.Fatalf("what was wanted is refused: %v of %s, %+v", refused, d, want)
		}
		r.window = true
		ids = append(ids, k.id)
	}
	if !more {
		w.s.Exhausted(want)
	}
	w.logf("lease %d", len(ids))
}

// next lets the schedule start what it likes, and checks that it may.
func (w *world) next() {
	starts, decisions := w.s.Next(w.now)
	for _, d := range decisions {
		w.record(d, nil)
	}
	for _, d := range starts {
		w.logf("%v start %d %v %s %v", w.now, d.ID, d.Message, d.Hop.Destination, d.To)
		w.begin(d)
	}
}

func (w *world) begin(d queue.Delivery) {
	name := d.Hop.Destination
	if len(d.To) > w.opts.Default.Batch {
		w.t.Fatalf("%d recipients in a delivery", len(d.To))
	}
	for _, i := range d.To {
		r := w.mail[key{d.Message, i}]
		switch {
		case r == nil || r.fate != 0 || !r.window || r.flying:
			w.t.Fatalf("%v %d is tried in a wrong state: %+v", d.Message, i, r)
		case w.now.Before(r.notBefore):
			w.t.Fatalf("%v %d is tried at %v, before %v", d.Message, i, w.now, r.notBefore)
		case r.to.Hop.Destination != name:
			w.t.Fatalf("%v %d goes to %s", d.Message, i, name)
		}
		r.flying = true
	}
	if since, down := w.down[name]; down {
		if !d.Probe {
			w.t.Fatalf("%s is down, and this is no probe", name)
		}
		if n := w.inFlight(func(o queue.Delivery) bool { return o.Hop.Destination == name }); n > 0 {
			w.t.Fatalf("%s is down since %v, and %d others are in flight", name, since, n)
		}
		if w.now.Sub(since) < time.Minute {
			w.t.Fatalf("a probe of %s after %v", name, w.now.Sub(since))
		}
	}
	w.flights = append(w.flights, d)
	w.within("all", w.opts.Default.All, func(queue.Delivery) bool { return true })
	w.within("site "+d.Site, w.opts.Default.Site, func(o queue.Delivery) bool {
		return o.Site == d.Site && (d.Site != "" || o.Hop == d.Hop)
	}, name)
	w.within("to "+name, w.opts.Default.Destination, func(o queue.Delivery) bool { return o.Hop == d.Hop })
	if len(w.flights) > w.opts.Deliveries {
		w.t.Fatalf("%d deliveries at once", len(w.flights))
	}
}

func (w *world) inFlight(of func(queue.Delivery) bool) (n int) {
	for _, d := range w.flights {
		if of(d) {
			n++
		}
	}
	return n
}

// within checks a limit after a start that it counts.
func (w *world) within(name string, l queue.Limits, of func(queue.Delivery) bool, alone ...string) {
	if n := w.inFlight(of); n > l.Deliveries {
		w.t.Fatalf("%s: %d at once, %d allowed", name, n, l.Deliveries)
	}
	if l.Rate == 0 {
		return
	}
	if name == "site " {
		name += strings.Join(alone, "")
	}
	b := append(w.begun[name], w.now)
	w.begun[name] = b
	if n := len(b) - 1 - l.Rate; n >= 0 && w.now.Sub(b[n]) < l.Per {
		w.t.Fatalf("%s: more than %d in %v", name, l.Rate, l.Per)
	}
}

// settle ends one of the deliveries in flight.
func (w *world) settle(t *rapid.T, answer string) {
	if len(w.flights) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.flights)-1).Draw(t, "which")
	d := w.flights[i]
	w.flights = slices.Delete(w.flights, i, i+1)
	var outcomes []mail.Outcome
	player := player{now: w.now}
	for _, to := range d.To {
		a := answer
		if a == "some" {
			a = rapid.SampledFrom([]string{"ok", "450", "550"}).Draw(t, "answer")
		}
		outcomes = append(outcomes, player.outcome(to, a))
	}
	decision, ok := w.s.Settle(w.now, d.ID, outcomes)
	if !ok || len(decision.Changes) != len(d.To) {
		w.t.Fatalf("%v: %d changes for %v", ok, len(decision.Changes), d.To)
	}
	switch {
	case answer == "down":
		if _, already := w.down[d.Hop.Destination]; !already || d.Probe {
			w.down[d.Hop.Destination] = w.now
		}
	case answer != "ours" && answer != "local":
		delete(w.down, d.Hop.Destination)
	}
	w.record(decision, &d)
	if _, again := w.s.Settle(w.now, d.ID, outcomes); again {
		w.t.Fatal("a delivery is settled twice")
	}
}

// record does what a spool does with a decision.
func (w *world) record(decision queue.Decision, of *queue.Delivery) {
	for _, c := range decision.Changes {
		w.logf("%v change %v %d %v %v %v", w.now, decision.Message, c.Recipient, c.Fate, c.Again, c.Report)
		r := w.mail[key{decision.Message, c.Recipient}]
		if r == nil || r.fate != 0 || !r.window || r.flying != (of != nil) {
			w.t.Fatalf("a change of somebody who is not there: %+v of %+v", c, r)
		}
		r.flying, r.window = false, false
		if c.Fate.Final() {
			r.fate = c.Fate
			continue
		}
		if counted := c.State.Tries - r.state.Tries; counted > 0 && (c.OurLimit || of == nil) {
			w.t.Fatalf("a try is counted that was none: %+v", c)
		}
		r.state, r.again = c.State, c.Again
		if of != nil && !c.OurLimit && !c.HostDown {
			r.notBefore = c.State.Next
		}
		if c.Again.IsZero() {
			w.t.Fatalf("nobody will look at it again: %+v", c)
		}
	}
}

// command gives an operator's order about one recipient or a whole message, as
// far as it is in the window and not in flight.
func (w *world) command(t *rapid.T) {
	if len(w.order) == 0 {
		return
	}
	k := rapid.SampledFrom(w.order).Draw(t, "whom")
	to, reach := []int{k.index}, map[int]*recipient{}
	if rapid.Bool().Draw(t, "all") {
		to = []int{0, 1, 2, 3, 4, 5, 6}
	}
	for _, i := range to {
		if r := w.mail[key{k.id, i}]; r != nil && r.fate == 0 && r.window && !r.flying {
			reach[i] = r
		}
	}
	switch rapid.SampledFrom([]string{"withdraw", "retry", "bounce"}).Draw(t, "command") {
	case "withdraw":
		w.s.Withdraw(w.now, k.id, to)
		for _, r := range reach {
			r.window = false
			r.again = w.now
		}
	case "retry":
		w.s.RetryNow(w.now, k.id, to)
		for _, r := range reach {
			r.notBefore = time.Time{}
			delete(w.down, r.to.Hop.Destination) // an operator may probe when he likes
		}
	case "bounce":
		d := w.s.Bounce(w.now, k.id, to, nil)
		if len(d.Changes) != len(reach) {
			w.t.Fatalf("%d of %d are bounced", len(d.Changes), len(reach))
		}
		w.record(d, nil)
	}
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) check() {
	if err := w.s.Check(); err != nil {
		w.t.Fatal(err)
	}
	for _, k := range w.order {
		if r := w.mail[k]; r.fate != 0 && r.flying {
			w.t.Fatalf("%v is done with, and in flight", k)
		}
	}
}

// drain lets everything succeed, and reports whether the mail is gone.
func (w *world) drain(t *rapid.T) {
	for range 10_000 {
		w.lease()
		w.next()
		w.check()
		for len(w.flights) > 0 {
			w.settle(t, "ok")
		}
		if !slices.ContainsFunc(w.order, func(k key) bool { return w.mail[k].fate == 0 }) {
			return
		}
		if at := w.s.Wake(); !at.IsZero() && at.After(w.now) && at.Before(w.now.Add(10*time.Second)) {
			w.now = at
		} else {
			w.pass(10 * time.Second)
		}
	}
	for _, k := range w.order {
		if r := w.mail[k]; r.fate == 0 {
			t.Logf("left: %v %+v", k, r)
		}
	}
	t.Fatal("the queue does not drain")
}

// live is a life of random events; it returns what happened.
func live(t *rapid.T, drain bool) string {
	w := newWorld(t)
	for range rapid.IntRange(10, 60).Draw(t, "events") {
		switch rapid.SampledFrom([]string{
			"arrive", "arrive", "next", "next", "next", "ok", "some", "some", "down", "ours", "local",
			"pass", "pass", "pass long", "order", "lease", "hop",
		}).Draw(t, "event") {
		case "arrive":
			w.arrive(t)
		case "next":
			w.next()
		case "ok":
			w.settle(t, "ok")
		case "some":
			w.settle(t, "some")
		case "down":
			w.settle(t, "down")
		case "ours":
			w.settle(t, "ours")
		case "local":
			w.settle(t, "local")
		case "pass":
			w.pass(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
		case "pass long":
			w.pass(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute)
		case "order":
			w.command(t)
		case "lease":
			w.lease()
		case "hop":
			if at := w.s.Wake(); at.After(w.now) {
				w.now = at
			}
			w.next()
		}
		w.check()
	}
	if drain {
		w.drain(t)
	}
	return w.log.String()
}

// TestLife holds the schedule to its promises through random lives: nobody is
// lost or tried twice at once, no limit is passed, nothing is tried before its
// time, a destination that is down gets one probe, and the queue drains.
func TestLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { live(t, true) })
}
