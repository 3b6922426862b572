package memspool

import (
	"context"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// Join implements [spool.Engine].
func (s *Spool) Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error) {
	if len(name) > spool.MaxName {
		return spool.Owner{}, spool.ErrLimit
	}
	if err := s.enter(ctx); err != nil {
		return spool.Owner{}, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	owner, freed := s.book.Join(name, ttl, now)
	s.joined(owner, ttl, now)
	if len(freed) > 0 {
		s.wake(name)
	}
	return owner, nil
}

// Beat implements [spool.Engine].
func (s *Spool) Beat(ctx context.Context, owner spool.Owner) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := time.Now()
	err := s.book.Beat(owner, now)
	if err == nil {
		s.nodes[owner.Name].beat = now
	}
	return err
}

// Release implements [spool.Engine].
func (s *Spool) Release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	freed := false
	for _, ref := range refs {
		freed = s.book.Free(owner, ref) || freed
	}
	if freed {
		s.wake(owner.Name)
	}
	return nil
}

// Lease implements [spool.Engine].
func (s *Spool) Lease(ctx context.Context, owner spool.Owner, want spool.Want) (spool.Taken, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Taken{}, err
	}
	defer s.mu.Unlock()
	h := haul{s: s, owner: owner, want: want, now: time.Now(), at: map[mail.ID]int{}}
	s.book.Lapse(h.now)
	if err := s.book.Valid(owner, h.now); err != nil {
		return spool.Taken{}, err
	}
	h.fresh()
	for _, name := range h.ready() {
		h.waiting(s.disk.waiting[name])
	}
	return h.taken, nil
}

// haul is one call of Lease.
type haul struct {
	s     *Spool
	owner spool.Owner
	want  spool.Want
	now   time.Time
	taken spool.Taken
	at    map[mail.ID]int // the lease of a message in taken
	n     int
}

func (h *haul) fresh() {
	for _, id := range h.s.disk.fresh.keys {
		for i, p := range h.s.disk.messages[id].places {
			if p == spool.Fresh && !h.consider(spool.Ref{ID: id, Recipient: i}) {
				return
			}
		}
	}
}

// ready are the destinations that may be visited, the longest due first.
func (h *haul) ready() []string {
	var names []string
	for _, name := range h.s.disk.sortedDestinations() {
		at := h.s.disk.waiting[name]
		if slices.Contains(h.want.Skip, name) || len(at.due.keys) == 0 {
			continue
		}
		names = append(names, name)
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return h.first(a).Compare(h.first(b))
	})
	return names
}

func (h *haul) first(name string) time.Time { return h.s.disk.waiting[name].due.keys[0].due }

func (h *haul) waiting(at *destination) {
	for _, k := range at.due.keys {
		if k.due.After(h.now) {
			h.later(k.due)
			return
		}
		if !h.consider(k.ref) {
			return
		}
	}
}

// later notes that something falls due.
func (h *haul) later(due time.Time) {
	if h.taken.Next.IsZero() || due.Before(h.taken.Next) {
		h.taken.Next = due
	}
}

// consider takes a recipient if it may, and reports whether to go on.
func (h *haul) consider(ref spool.Ref) bool {
	m := h.s.disk.messages[ref.ID]
	to := m.standings[ref.Recipient].Destination
	had := h.s.book.Owner(ref)
	if had == h.owner || had != (spool.Owner{}) && !sabotage.Is("two nodes take the same mail") || slices.Contains(h.want.Skip, to) ||
		h.s.book.Room(h.owner, to, h.want.PerDestination) <= 0 {
		return true
	}
	if h.n >= h.want.Recipients {
		h.taken.More = true
		return false
	}
	i, has := h.at[ref.ID]
	if !has {
		i = len(h.taken.Leases)
		h.at[ref.ID] = i
		h.taken.Leases = append(h.taken.Leases, spool.Lease{Envelope: m.env})
	}
	h.s.take(&h.taken.Leases[i], h.owner, m, ref.Recipient)
	h.n++
	return true
}

// take leases one recipient.
func (s *Spool) take(lease *spool.Lease, owner spool.Owner, m *message, i int) {
	if !sabotage.Is("leases are not noted") {
		s.book.Take(owner, spool.Ref{ID: m.env.ID, Recipient: i}, m.standings[i].Destination)
	}
	lease.Recipients = append(lease.Recipients, s.shown(m, i))
}

// shown is where a recipient stands, with what is known of those who had it.
func (s *Spool) shown(m *message, i int) spool.Standing {
	st := m.standings[i]
	st.Suspect = st.Suspect || s.book.Suspect(spool.Ref{ID: m.env.ID, Recipient: i})
	return st
}
