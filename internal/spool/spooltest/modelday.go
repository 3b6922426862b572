package spooltest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

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

func (d *day) Helper() {}

func (d *day) Fatal(args ...any) { d.rapid.Fatal(args...) }

func (d *day) Fatalf(format string, a ...any) { d.rapid.Fatalf(format, a...) }

func (d *day) Error(args ...any) { d.rapid.Error(args...) }

func (d *day) Errorf(format string, a ...any) { d.rapid.Errorf(format, a...) }

func (d *day) Cleanup(f func()) { d.cleanups = append(d.cleanups, f) }

func (d *day) end() {
	for _, f := range slices.Backward(d.cleanups) {
		f()
	}
}
