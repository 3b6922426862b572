package spooltest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/spool"
)

// model is what the contract says the engine holds.
type model struct {
	*desk
	owners    []spool.Owner
	now       world
	leases    map[spool.Ref]claim
	history   []world // the last durable world, and after it one for each lazy call
	lastLease time.Time
}

type claim struct {
	owner   spool.Owner
	altered bool
}

// unit is that of due times: what is not due yet falls due when time is let pass, or in real time not at all.
func (m *model) unit() time.Duration {
	if m.clock.real {
		return time.Hour
	}
	return time.Second
}

func (m *model) durable() { m.history = []world{m.now.clone()} }

func (m *model) lazy() { m.history = append(m.history, m.now.clone()) }

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
