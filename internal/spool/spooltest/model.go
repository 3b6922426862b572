package spooltest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// playModel plays random days against an engine and a model of the contract,
// and compares them after every step.
func playModel(t *testing.T, open func(t testing.TB) Subject, c clock) {
	// Without its own type, since rapid asks a *testing.T for its deadline, which
	// a bubble does not tell.
	rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
		d := &day{TB: t, rapid: rt}
		defer d.end()
		playDay(rt, d, open(d), c)
	})
}

func playDay(rt *rapid.T, t testing.TB, s Subject, c clock) {
	m := &model{desk: newDesk(t, s, c), leases: map[spool.Ref]claim{}, history: []world{{}}}
	m.owners = []spool.Owner{m.owner, m.join("node-2")}
	actions := map[string]func(*rapid.T){
		"accept": m.accept, "lease": m.lease, "settle": m.settle, "release": m.release,
		"order": m.order, "wait": m.wait, "lapse": m.lapse, "": m.compare,
	}
	if s.Crash != nil {
		actions["crash"] = m.crash
	}
	if c.real {
		delete(actions, "lapse") // a story of its own; here nothing hangs on when it is
	}
	rt.Repeat(actions)
}

// day is the testing.TB of one day: it fails as rapid wants it, and its
// cleanups run at its end.
type day struct {
	testing.TB
	rapid    *rapid.T
	cleanups []func()
}

func (d *day) Helper()                        {}
func (d *day) Fatal(args ...any)              { d.rapid.Fatal(args...) }
func (d *day) Fatalf(format string, a ...any) { d.rapid.Fatalf(format, a...) }
func (d *day) Error(args ...any)              { d.rapid.Error(args...) }
func (d *day) Errorf(format string, a ...any) { d.rapid.Errorf(format, a...) }
func (d *day) Cleanup(f func())               { d.cleanups = append(d.cleanups, f) }

func (d *day) end() {
	for _, f := range slices.Backward(d.cleanups) {
		f()
	}
}

// model is what the contract says the engine holds.
type model struct {
	*desk
	owners    []spool.Owner
	now       world
	leases    map[spool.Ref]claim
	history   []world // the last durable world, and after it one for each lazy call
	lastLease time.Time
}

// world is what is on the disk.
type world struct {
	rows  []row // by age
	facts []string
}

// row is one recipient that is not done.
type row struct {
	ref   spool.Ref
	to    string
	place spool.Place
	st    spool.Standing
}

type claim struct {
	owner   spool.Owner
	altered bool
}

var destinations = []string{"sina.example", "sohu.example", "mx.example"}

func (m *model) commitTo(rt *rapid.T) spool.Commit {
	to := rapid.SliceOfN(rapid.SampledFrom([]string{"a@sina.example", "b@sina.example", "c@sohu.example", "d@MX.example"}), 1, 3).Draw(rt, "to")
	c := spool.Commit{Envelope: envelope(to...), Facts: notes("accept")}
	if rapid.IntRange(0, 3).Draw(rt, "hold") == 0 {
		c.Envelope.HoldUntil = time.Now().Add(time.Duration(rapid.IntRange(-1, 5).Draw(rt, "until")) * m.unit())
	}
	if rapid.Bool().Draw(rt, "lease") {
		c.For = rapid.SampledFrom(m.owners).Draw(rt, "for")
	}
	return c
}

func (m *model) accept(rt *rapid.T) {
	c := m.commitTo(rt)
	draft := m.draft(text)
	lease, err := draft.Commit(m.ctx, c)
	m.must(err)
	m.born(rt, draft.ID(), &c, lease)
	m.durable()
}

// born puts a commit into the model and checks the lease it came with.
func (m *model) born(rt *rapid.T, id mail.ID, c *spool.Commit, lease *spool.Lease) {
	fresh := !c.Envelope.HoldUntil.After(time.Now())
	for i, to := range c.Envelope.To {
		r := row{ref: spool.Ref{ID: id, Recipient: i}, to: to.To.String(), place: spool.Fresh}
		r.st = spool.Standing{Recipient: i, Destination: strings.ToLower(to.To.Domain())}
		if !fresh {
			r.place, r.st.Due = spool.Waiting, c.Envelope.HoldUntil
		}
		m.now.rows = append(m.now.rows, r)
		if fresh && c.For != (spool.Owner{}) {
			m.leases[r.ref] = claim{owner: c.For}
		}
	}
	slices.SortFunc(m.now.rows, func(a, b row) int {
		return cmp.Or(bytes.Compare(a.ref.ID[:], b.ref.ID[:]), cmp.Compare(a.ref.Recipient, b.ref.Recipient))
	})
	if (lease != nil) != (fresh && c.For != (spool.Owner{})) {
		rt.Fatalf("lease %+v of a commit for %v", lease, c.For)
	}
	m.now.facts = append(m.now.facts, "accept")
}

// unit is that of due times: what is not due yet falls due when time is let pass, or in real time not at all.
func (m *model) unit() time.Duration {
	if m.clock.real {
		return time.Hour
	}
	return time.Second
}

func (m *model) durable() { m.history = []world{m.now.clone()} }
func (m *model) lazy()    { m.history = append(m.history, m.now.clone()) }

func (w *world) clone() world {
	return world{slices.Clone(w.rows), slices.Clone(w.facts)}
}

func (w *world) row(ref spool.Ref) *row {
	for i := range w.rows {
		if w.rows[i].ref == ref {
			return &w.rows[i]
		}
	}
	return nil
}

func (w *world) remove(ref spool.Ref) {
	w.rows = slices.DeleteFunc(w.rows, func(r row) bool { return r.ref == ref })
}

// available reports whether a lease may take the row now.
func (m *model) available(r *row, skip []string) bool {
	_, leased := m.leases[r.ref]
	if leased || slices.Contains(skip, r.st.Destination) {
		return false
	}
	switch r.place {
	case spool.Fresh:
		return true
	case spool.Waiting:
		return !r.st.Due.After(time.Now())
	}
	return false
}

func (m *model) lease(rt *rapid.T) {
	o := rapid.SampledFrom(m.owners).Draw(rt, "owner")
	want := spool.Want{Recipients: rapid.IntRange(1, 6).Draw(rt, "recipients")}
	want.Skip = rapid.SliceOfNDistinct(rapid.SampledFrom(destinations), 0, 2, rapid.ID).Draw(rt, "skip")
	taken, err := m.Lease(m.ctx, o, want)
	m.must(err)
	if len(taken.Leases) > 0 {
		m.lastLease = time.Now()
	}
	n := 0
	for _, l := range taken.Leases {
		for _, st := range l.Recipients {
			m.leased(rt, o, &want, spool.Ref{ID: l.Envelope.ID, Recipient: st.Recipient}, st)
			n++
		}
	}
	if n > want.Recipients {
		rt.Fatalf("%d leased of %d wanted", n, want.Recipients)
	}
	m.checkRest(rt, &want, &taken, n)
}

func (m *model) leased(rt *rapid.T, o spool.Owner, want *spool.Want, ref spool.Ref, st spool.Standing) {
	r := m.now.row(ref)
	if r == nil || !m.available(r, want.Skip) {
		rt.Fatalf("leased %v, which is %+v", ref, r)
	}
	if diff := gocmp.Diff(r.st, st, same); diff != "" {
		rt.Fatalf("leased %v: %s", ref, diff)
	}
	m.leases[ref] = claim{owner: o}
}

// checkRest checks that nothing was left that should have been taken.
func (m *model) checkRest(rt *rapid.T, want *spool.Want, taken *spool.Taken, n int) {
	var next time.Time
	for i := range m.now.rows {
		r := &m.now.rows[i]
		if m.available(r, want.Skip) && n < want.Recipients && !taken.More {
			rt.Fatalf("%d of %d leased, and %s at %+v was left", n, want.Recipients, r.to, r.st)
		}
		due := r.st.Due
		_, leased := m.leases[r.ref]
		if r.place == spool.Waiting && !leased && due.After(time.Now()) && !slices.Contains(want.Skip, r.st.Destination) {
			if next.IsZero() || due.Before(next) {
				next = due
			}
		}
	}
	if taken.More {
		return
	}
	if !next.IsZero() && (taken.Next.IsZero() || taken.Next.After(next)) {
		rt.Fatalf("next is %v, want %v", taken.Next, next)
	}
}

// mine are the leases of an owner by message.
func (m *model) mine(o spool.Owner) [][]spool.Ref {
	var mine [][]spool.Ref
	for ref, c := range m.leases {
		if c.owner == o {
			mine = append(mine, []spool.Ref{ref})
		}
	}
	slices.SortFunc(mine, func(a, b []spool.Ref) int {
		return cmp.Or(bytes.Compare(a[0].ID[:], b[0].ID[:]), cmp.Compare(a[0].Recipient, b[0].Recipient))
	})
	for i := 0; i+1 < len(mine); {
		if mine[i][0].ID != mine[i+1][0].ID {
			i++
			continue
		}
		mine[i] = append(mine[i], mine[i+1]...)
		mine = slices.Delete(mine, i+1, i+2)
	}
	return mine
}

func (m *model) settle(rt *rapid.T) {
	o := rapid.SampledFrom(m.owners).Draw(rt, "owner")
	mine := m.mine(o)
	if len(mine) == 0 {
		rt.Skip("nothing leased")
	}
	var batch []spool.Settlement
	for _, refs := range mine[:rapid.IntRange(1, len(mine)).Draw(rt, "messages")] {
		batch = append(batch, m.settlement(rt, refs[:rapid.IntRange(1, len(refs)).Draw(rt, "recipients")]))
	}
	settled, err := m.Settle(m.ctx, o, batch)
	m.must(err)
	durable := false
	for i := range batch {
		m.settled(rt, &batch[i], &settled[i])
		durable = durable || batch[i].Durable()
	}
	if durable {
		m.durable()
	} else {
		m.lazy()
	}
}

func (m *model) settlement(rt *rapid.T, refs []spool.Ref) spool.Settlement {
	s := spool.Settlement{ID: refs[0].ID, Facts: notes("settle")}
	for _, ref := range refs {
		st := spool.Standing{Recipient: ref.Recipient, Destination: "gone"}
		if r := m.now.row(ref); r != nil {
			st = r.st
		}
		fate := rapid.SampledFrom([]mail.Fate{mail.Relayed, mail.Deferred, mail.Deferred, mail.Failed}).Draw(rt, "fate")
		st = became(st, fate)
		st.Held = false
		if fate == mail.Deferred {
			st.Due = time.Now().Add(time.Duration(rapid.IntRange(-2, 6).Draw(rt, "due")) * m.unit())
			st.Destination = rapid.SampledFrom(destinations).Draw(rt, "destination")
		}
		s.Results = append(s.Results, st)
	}
	if s.Durable() && rapid.Bool().Draw(rt, "report") {
		var tells []int
		for _, st := range s.Results[:rapid.IntRange(1, len(s.Results)).Draw(rt, "told")] {
			tells = append(tells, st.Recipient)
		}
		rep := m.report(tells...)
		rep.Commit.For, rep.Commit.Facts = spool.Owner{}, notes("accept")
		s.Reports = append(s.Reports, rep)
	}
	return s
}

// settled checks what the engine said of a settlement and does it to the model.
func (m *model) settled(rt *rapid.T, s *spool.Settlement, got *spool.Settled) {
	ordered := m.ordersFirst(s)
	together := false // a report is set aside
	for i := range s.Reports {
		together = slices.ContainsFunc(s.Reports[i].Recipients, func(n int) bool { return ordered[n] })
	}
	bystanders := 0
	for _, st := range s.Results {
		ref := spool.Ref{ID: s.ID, Recipient: st.Recipient}
		r, c := m.now.row(ref), m.leases[ref]
		switch {
		case r == nil:
			delete(m.leases, ref)
		case ordered[st.Recipient]:
			m.leases[ref] = claim{owner: c.owner}
		case together && st.Fate != mail.Relayed && slices.Contains(s.Reports[0].Recipients, st.Recipient):
			bystanders++
		default:
			delete(m.leases, ref)
			if r.st, r.place = st, spool.Waiting; st.Fate.Final() {
				m.now.remove(ref)
			}
		}
	}
	m.now.facts = append(m.now.facts, "settle")
	if len(ordered) != len(got.Altered) || bystanders != len(got.Aside) ||
		errors.Is(got.Err, spool.ErrAltered) != (len(ordered) > 0) || got.Err != nil && len(ordered) == 0 {
		rt.Fatalf("settled %+v, want %v set aside, and %d with their report", got, ordered, bystanders)
	}
	for i := range s.Reports {
		rep := &s.Reports[i]
		if got.Reports[i].Committed == together {
			rt.Fatalf("report: %+v, set aside: %v", got.Reports[i], ordered)
		}
		if got.Reports[i].Committed {
			m.born(rt, rep.Draft.ID(), &rep.Commit, nil)
		}
		rep.Draft.Abort()
	}
}

// ordersFirst are the recipients of a settlement about whom an order came first.
func (m *model) ordersFirst(s *spool.Settlement) map[int]bool {
	first := map[int]bool{}
	for _, st := range s.Results {
		ref := spool.Ref{ID: s.ID, Recipient: st.Recipient}
		if m.now.row(ref) == nil || m.leases[ref].altered && st.Fate != mail.Relayed {
			first[st.Recipient] = true
		}
	}
	return first
}

func (m *model) release(rt *rapid.T) {
	o := rapid.SampledFrom(m.owners).Draw(rt, "owner")
	for _, refs := range m.mine(o) {
		if rapid.Bool().Draw(rt, "this") {
			m.must(m.Release(m.ctx, o, refs))
			for _, ref := range refs {
				delete(m.leases, ref)
			}
		}
	}
}

func (m *model) order(rt *rapid.T) {
	verb := rapid.SampledFrom([]spool.Verb{spool.Hold, spool.Free, spool.Retry, spool.Reroute, spool.Bounce, spool.Remove}).Draw(rt, "verb")
	q := spool.Query{Filter: spool.Filter{To: rapid.SampledFrom([]string{"a@*", "*@sohu.example", "*"}).Draw(rt, "to")}}
	o := spool.Order{Verb: verb, At: time.Now(), By: "olga"}
	_, err := m.Alter(m.ctx, q, o, func(spool.Item) []byte { return []byte("order") })
	m.must(err)
	for _, r := range slices.Clone(m.now.rows) {
		if ok, _ := matchTo(q.Filter.To, r.to); ok {
			m.ordered(r.ref, &o)
		}
	}
	m.durable()
}

func matchTo(pattern, to string) (bool, error) {
	prefix, suffix, _ := strings.Cut(pattern, "*")
	to = strings.ToLower(to)
	return strings.HasPrefix(to, prefix) && strings.HasSuffix(to, suffix), nil
}

func (m *model) ordered(ref spool.Ref, o *spool.Order) {
	r := m.now.row(ref)
	if st, changed := o.Apply(r.st); changed {
		r.st, r.place = st, spool.Waiting
		if st.Held {
			r.place = spool.Held
		}
		if c, leased := m.leases[ref]; leased {
			c.altered = true
			m.leases[ref] = c
		}
		if st.Fate.Final() {
			m.now.remove(ref)
		}
		m.now.facts = append(m.now.facts, "order")
	}
}

func (m *model) wait(rt *rapid.T) {
	long := rapid.SampledFrom([]time.Duration{time.Millisecond, 2 * spool.Lag, time.Second}).Draw(rt, "long")
	if m.clock.real {
		long = min(long, 2*spool.Lag)
	}
	time.Sleep(long)
	for _, o := range m.owners {
		m.must(m.Beat(m.ctx, o))
	}
	if long >= spool.Lag {
		m.durable()
	}
}

// lapse lets the second owner miss its beats.
func (m *model) lapse(*rapid.T) {
	for range 4 {
		time.Sleep(m.ttl() / 3)
		m.must(m.Beat(m.ctx, m.owners[0]))
	}
	m.durable()
	if err := m.Beat(m.ctx, m.owners[1]); !errors.Is(err, spool.ErrLeaseLost) {
		m.Fatalf("a lapsed owner beats: %v", err)
	}
	for _, refs := range m.mine(m.owners[1]) {
		for _, ref := range refs {
			delete(m.leases, ref)
			if r := m.now.row(ref); r != nil {
				r.st.Suspect = true
			}
		}
	}
	m.owners[1] = m.join("node-2")
}

func (m *model) crash(rt *rapid.T) {
	m.desk.crash()
	m.owners = []spool.Owner{m.owner, m.join("node-2")}
	clear(m.leases)
	got := m.observe()
	for _, w := range slices.Backward(m.history) {
		if w := m.afterCrash(w, got); m.difference(&w, &got) == "" {
			m.now = w
			m.durable()
			return
		}
	}
	rt.Fatalf("after a crash the spool is as it never was; against the last world: %s", m.difference(&m.now, &got))
}

// afterCrash is a world with the suspicions that it must have, and those that it may have if got has them.
func (m *model) afterCrash(w world, got world) world {
	w = w.clone()
	for i := range w.rows {
		r := &w.rows[i]
		has := got.row(r.ref)
		must := r.place == spool.Fresh || r.place == spool.Waiting && !r.st.Due.After(m.lastLease)
		may := r.place != spool.Fresh && r.st.Due.Before(time.Now().Add(2*time.Second))
		r.st.Suspect = r.st.Suspect || must || may && has != nil && has.st.Suspect
	}
	return w
}

// observe reads all that the engine shows.
func (m *model) observe() world {
	var w world
	for _, it := range m.all(spool.Filter{}) {
		w.rows = append(w.rows, row{it.Ref(), it.Envelope.To[it.Standing.Recipient].To.String(), it.Place, it.Standing})
	}
	page, err := m.Facts(m.ctx, spool.FactQuery{})
	m.must(err)
	for _, f := range page.Facts {
		w.facts = append(w.facts, string(f.Data))
	}
	return w
}

func (m *model) difference(want, got *world) string {
	for i := range max(len(want.rows), len(got.rows)) {
		if i >= len(want.rows) || i >= len(got.rows) {
			return fmt.Sprintf("%d recipients, want %d", len(got.rows), len(want.rows))
		}
		a, b := want.rows[i], got.rows[i]
		if a.ref != b.ref || a.to != b.to || a.place != b.place {
			return fmt.Sprintf("%s %v is %v, want %s %v %v", b.to, b.ref, b.place, a.to, a.ref, a.place)
		}
		if diff := gocmp.Diff(a.st, b.st, same); diff != "" {
			return fmt.Sprintf("%s %v: %s", a.to, a.ref, diff)
		}
	}
	// at most one page of facts is compared
	facts := want.facts[:min(len(want.facts), spool.MaxPage)]
	if diff := gocmp.Diff(facts, got.facts, same); diff != "" {
		return "journal: " + diff
	}
	return ""
}

func (m *model) compare(rt *rapid.T) {
	got := m.observe()
	if diff := m.difference(&m.now, &got); diff != "" {
		rt.Fatal(diff)
	}
	m.compareCounts(rt)
}

func (m *model) compareCounts(rt *rapid.T) {
	st, err := m.Stats(m.ctx)
	m.must(err)
	messages, places := map[mail.ID]bool{}, map[spool.Place]int64{}
	for _, r := range m.now.rows {
		messages[r.ref.ID] = true
		places[r.place]++
	}
	if st.Messages != int64(len(messages)) || st.Fresh != places[spool.Fresh] || st.Waiting != places[spool.Waiting] ||
		st.Held != places[spool.Held] || st.Leased != int64(len(m.leases)) {
		rt.Fatalf("counts %+v, want %d messages, %v, %d leased", st, len(messages), places, len(m.leases))
	}
}
