package spooltest

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

func (m *model) accept(rt *rapid.T) {
	c := m.commitTo(rt)
	draft := m.draft(text)
	lease, err := draft.Commit(m.ctx, c)
	m.must(err)
	m.born(rt, draft.ID(), &c, lease)
	m.durable()
}

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

var destinations = []string{"sina.example", "sohu.example", "mx.example"}

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
