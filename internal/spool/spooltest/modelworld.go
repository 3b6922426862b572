package spooltest

import (
	"fmt"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

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
