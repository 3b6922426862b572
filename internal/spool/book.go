package spool

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/sabotage"
)

// Book is the leases of an engine that keeps them in its own memory, because
// no other process can share its mail. It holds no lock: the engine does.
// Make one with NewBook.
type Book struct {
	epoch  uint64
	owners map[string]*tenure
	claims map[Ref]*claim
	lost   map[Ref]struct{} // leased in an epoch that is over, and not settled since
}

// tenure is the epoch of an owner.
type tenure struct {
	owner Owner
	ttl   time.Duration
	until time.Time
	held  map[string]int // leases by destination
}

// claim is one lease.
type claim struct {
	owner       Owner
	destination string
	altered     *Standing // made by an order that the owner was not told yet
}

// NewBook makes an empty book whose epochs are greater than the one given.
func NewBook(epoch uint64) *Book {
	return &Book{epoch: epoch, owners: map[string]*tenure{}, claims: map[Ref]*claim{}, lost: map[Ref]struct{}{}}
}

// Join begins an epoch and returns what the one before it held.
func (b *Book) Join(name string, ttl time.Duration, now time.Time) (Owner, []Ref) {
	var freed []Ref
	if old := b.owners[name]; old != nil {
		freed = b.end(old)
	}
	b.epoch++
	t := &tenure{Owner{name, b.epoch}, ttl, now.Add(ttl), map[string]int{}}
	b.owners[name] = t
	return t.owner, freed
}

// Beat renews an epoch.
func (b *Book) Beat(owner Owner, now time.Time) error {
	t, err := b.tenure(owner, now)
	if err == nil {
		t.until = now.Add(t.ttl)
	}
	return err
}

// Lapse ends the epochs that are over and returns what they held.
func (b *Book) Lapse(now time.Time) []Ref {
	var freed []Ref
	for _, t := range b.owners {
		if !now.Before(t.until) && !sabotage.Is("what a dead node had is nobody's") {
			freed = append(freed, b.end(t)...)
		}
	}
	slices.SortFunc(freed, compareRefs) // no map order is visible
	return freed
}

// Valid is nil while the epoch of the owner lasts.
func (b *Book) Valid(owner Owner, now time.Time) error {
	_, err := b.tenure(owner, now)
	return err
}

// Room is how many more recipients of the destination the owner may take.
func (b *Book) Room(owner Owner, destination string, perDestination int) int {
	t := b.owners[owner.Name]
	if perDestination <= 0 || t == nil {
		return MaxRecipients
	}
	return perDestination - t.held[destination]
}

// Take leases a recipient that nobody has to an owner whose epoch lasts.
func (b *Book) Take(owner Owner, ref Ref, destination string) {
	b.claims[ref] = &claim{owner: owner, destination: destination}
	b.owners[owner.Name].held[destination]++
}

// Owner is who has the recipient; the zero Owner if nobody has.
func (b *Book) Owner(ref Ref) Owner {
	if c := b.claims[ref]; c != nil {
		return c.owner
	}
	return Owner{}
}

// Suspect reports whether a recipient was leased in an epoch that is over, and not
// settled since: nobody knows what became of it.
func (b *Book) Suspect(ref Ref) bool {
	_, lost := b.lost[ref]
	return lost
}

// Held is how many leases the owner of that name has.
func (b *Book) Held(name string) int {
	n := 0
	if t := b.owners[name]; t != nil {
		for _, held := range t.held {
			n += held
		}
	}
	return n
}

// Leased is how many leases there are.
func (b *Book) Leased() int { return len(b.claims) }

// Free ends the lease that the owner has on a recipient, and reports whether it had one.
func (b *Book) Free(owner Owner, ref Ref) bool {
	c := b.claims[ref]
	if c == nil || c.owner != owner {
		return false
	}
	b.drop(ref, c)
	return true
}

// Alter notes that an order has changed a recipient, if anybody has it.
func (b *Book) Alter(ref Ref, now Standing) {
	if c := b.claims[ref]; c != nil {
		c.altered = &now
	}
	if now.Fate == mail.Removed {
		delete(b.lost, ref)
	}
}

// Judge holds a settlement against the leases and ends those of the results
// that are to be recorded. What Err forbids is nothing; ErrAltered forbids only what it says.
func (b *Book) Judge(owner Owner, s *Settlement, now time.Time) Judgement {
	if err := b.holds(owner, s, now); err != nil {
		return Judgement{Err: err}
	}
	j := s.Judge(func(recipient int) *Standing { return b.claims[Ref{s.ID, recipient}].altered })
	for _, r := range j.Results {
		ref := Ref{s.ID, r.Recipient}
		b.drop(ref, b.claims[ref])
		delete(b.lost, ref)
	}
	for _, told := range j.Altered {
		ref := Ref{s.ID, told.Recipient}
		if c := b.claims[ref]; told.Fate == mail.Removed {
			b.drop(ref, c)
		} else {
			c.altered = nil
		}
	}
	return j
}

func (b *Book) holds(owner Owner, s *Settlement, now time.Time) error {
	if err := b.Valid(owner, now); err != nil {
		return fmt.Errorf("settle %s: %w", s.ID, err)
	}
	for i := range s.Results {
		if b.Owner(Ref{s.ID, s.Results[i].Recipient}) != owner {
			return fmt.Errorf("settle %s: recipient %d is not held: %w", s.ID, s.Results[i].Recipient, ErrLeaseLost)
		}
	}
	return nil
}

func (b *Book) tenure(owner Owner, now time.Time) (*tenure, error) {
	t := b.owners[owner.Name]
	if t == nil || t.owner != owner || !now.Before(t.until) {
		return nil, fmt.Errorf("epoch %d of %q is over: %w", owner.Epoch, owner.Name, ErrLeaseLost)
	}
	return t, nil
}

// end forgets an epoch and returns what it held.
func (b *Book) end(t *tenure) []Ref {
	var freed []Ref
	for ref, c := range b.claims {
		if c.owner == t.owner {
			freed = append(freed, ref)
			delete(b.claims, ref)
			if !sabotage.Is("what a dead node had is not suspect") && (c.altered == nil || c.altered.Fate != mail.Removed) {
				b.lost[ref] = struct{}{}
			}
		}
	}
	delete(b.owners, t.owner.Name)
	slices.SortFunc(freed, compareRefs)
	return freed
}

func (b *Book) drop(ref Ref, c *claim) {
	delete(b.claims, ref)
	held := b.owners[c.owner.Name].held
	if held[c.destination]--; held[c.destination] <= 0 {
		delete(held, c.destination)
	}
}

func compareRefs(a, b Ref) int {
	return cmp.Or(bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(a.Recipient, b.Recipient))
}
