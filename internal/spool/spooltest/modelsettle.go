package spooltest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

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
