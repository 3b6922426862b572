package spool

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// MaxAsks is how many asks there are in one call at most.
const MaxAsks = 1000

// Sharer is an [Engine] whose owners keep to limits together: how many places of something are
// taken at once, and how close together its turns follow. Nothing is divided beforehand. Who has use
// for a place asks for it, and one owner may have all of them; when several have use for more than
// there are, each gets as many as the others, and what cannot be divided goes round.
//
// Places belong to the epoch of their owner and end with it, by the engine's clock. They are as
// durable as a beat: when a primary falls some may be forgotten, until their owners say again what they use.
type Sharer interface {
	// Share takes, renews and gives back shares: one Grant for each Ask, in order. Their
	// names differ. ErrLeaseLost if the owner's epoch is over; then nothing is changed.
	Share(ctx context.Context, owner Owner, asks []Ask) ([]Grant, error)
}

// Ask is what an owner says of one thing that is limited.
type Ask struct {
	Name  string        // of the thing; at most MaxName octets
	Limit int           // places, for all owners together; 0: no limit
	Busy  int           // places that the owner uses; nobody else gets them
	Want  int           // places for which it has use, those included. One that gets fewer asks again within [Wish]
	Space time.Duration // between two turns, whose ever they are; 0: no rate
	Turns int           // for which it has use
}

// Grant is what an owner has from then on.
type Grant struct {
	// Places that it may use. If they are fewer than it does use it begins nothing, and asks again
	// when it uses fewer: somebody waits for them.
	Places int
	// Wanted: another owner wants more than it has.
	Wanted bool
	// Turns are the owner's. The first one has come after so long, and the others follow it at Space. One that
	// is not used is lost.
	Turns int
	After time.Duration
}

// Wish is how long an engine remembers that somebody wants more than he has.
const Wish = 3 * time.Second

// handOver is how often that which cannot be divided goes to the next one.
const handOver = 10 * time.Second

// CheckAsks reports what no engine can do.
func CheckAsks(asks []Ask) error {
	if len(asks) > MaxAsks {
		return fmt.Errorf("%d asks: %w", len(asks), ErrLimit)
	}
	for i := range asks {
		if n := len(asks[i].Name); n == 0 || n > MaxName {
			return fmt.Errorf("the name of a share has %d octets: %w", n, ErrLimit)
		}
	}
	return nil
}

// Pool is who has which share of one thing. It is for engines, which keep one under each name, and
// lock it. The zero Pool is one that nobody has asked of.
type Pool struct {
	Claims []Claim `json:"claims,omitempty"` // by name of the owner
	Next   int64   `json:"next,omitempty"`   // Unix nanoseconds: no turn before
}

// Claim is what one owner has, and wants.
type Claim struct {
	Owner Owner `json:"owner"`
	Held  int   `json:"held,omitempty"`
	Want  int   `json:"want,omitempty"`
	Asked int64 `json:"asked"` // Unix nanoseconds
}

// Grant answers an ask, when the epochs of those given last and no others.
func (p *Pool) Grant(owner Owner, a *Ask, now time.Time, alive []Owner) Grant {
	p.Claims = slices.DeleteFunc(p.Claims, func(c Claim) bool {
		return c.Owner.Name == owner.Name || !slices.Contains(alive, c.Owner)
	})
	g := p.turns(a, now, len(alive))
	if a.Limit <= 0 {
		return g
	}
	free := a.Limit
	for _, c := range p.Claims {
		free -= c.Held
	}
	mine := Claim{Owner: owner, Want: a.Want, Asked: now.UnixNano()}
	at, _ := slices.BinarySearchFunc(p.Claims, mine, func(a, b Claim) int { return cmp.Compare(a.Owner.Name, b.Owner.Name) })
	p.Claims = slices.Insert(p.Claims, at, mine)
	g.Places = max(0, min(free, p.fair(at, a.Limit, now)))
	g.Wanted = p.wanted(at, now)
	p.Claims[at].Held = max(g.Places, a.Busy)
	if p.Claims[at].Held == 0 && a.Want <= 0 {
		p.Claims = slices.Delete(p.Claims, at, at+1)
	}
	return g
}

// turns are given one after the other, whoever asks.
func (p *Pool) turns(a *Ask, now time.Time, owners int) (g Grant) {
	if a.Space <= 0 || a.Turns <= 0 {
		return Grant{}
	}
	// What was given by a limit that holds no more does not keep anybody waiting.
	most := time.Duration(owners+1) * max(a.Space*time.Duration(a.Turns), a.Space, time.Second)
	first := min(max(p.Next, now.UnixNano()), now.Add(most).UnixNano())
	p.Next = first + int64(a.Space)*int64(a.Turns)
	return Grant{Turns: a.Turns, After: time.Duration(first - now.UnixNano())}
}

// fair is how many of the places the claim at an index is to have: as many as it wants, if the others do
// not want them too.
func (p *Pool) fair(at, limit int, now time.Time) int {
	wants := make([]int, len(p.Claims))
	for i := range p.Claims {
		wants[i] = p.Claims[i].use(now)
	}
	level := levelOf(wants, limit)
	rest := limit
	for _, w := range wants {
		rest -= min(w, level)
	}
	first := int(now.UnixNano() / int64(handOver) % int64(len(wants)))
	for n := range wants {
		i := (first + n) % len(wants)
		if wants[i] <= level {
			continue
		}
		if i == at {
			return level + min(rest, 1)
		}
		rest = max(0, rest-1)
	}
	return wants[at]
}

// use is for how many places the owner has use: what it says now, or what it had when it said so last.
func (c *Claim) use(now time.Time) int {
	if now.UnixNano()-c.Asked < int64(Wish) {
		return max(c.Want, 0)
	}
	return c.Held
}

// wanted reports whether anybody but the claim at an index wants more than he has.
func (p *Pool) wanted(at int, now time.Time) bool {
	for i := range p.Claims {
		if c := &p.Claims[i]; i != at && c.use(now) > c.Held {
			return true
		}
	}
	return false
}

// levelOf is the most that everybody gets who wants it, if there are so many in all.
func levelOf(wants []int, limit int) int {
	sorted := slices.Sorted(slices.Values(wants))
	for i, w := range sorted {
		if others := len(sorted) - i; w*others >= limit {
			return limit / others
		}
		limit -= w
	}
	return sorted[len(sorted)-1]
}

// Idle reports whether nothing is left to know of the pool.
func (p *Pool) Idle(now time.Time) bool { return len(p.Claims) == 0 && p.Next <= now.UnixNano() }

// Append appends the pool as an engine may keep it.
func (p *Pool) Append(b []byte) []byte {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and names
	}
	return append(b, text...)
}

// ParsePool reads what Append has made; of nothing it makes the zero Pool.
func ParsePool(b []byte) (p Pool, err error) {
	if len(b) > 0 {
		err = json.Unmarshal(b, &p)
	}
	return p, err
}
