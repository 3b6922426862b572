// Package dmarctally counts what DMARC found of the mail of each domain, for the reports that its
// owner wants (RFC 9990). Counts stand in the spool, one for each day and policy, until the report
// was sent.
package dmarctally

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/spool"
)

// Room is where counts are kept, by day and the domain of the policy.
const Room = "dmarc"

// Bounds of the counts. What is beyond is not counted, and the report says so.
const (
	maxRecords = 150    // of a domain in a day, and as many as fit into a state
	maxDomains = 10_000 // of a day: any name below a domain may have a policy
)

// Tally counts. There is one for the states of a spool.
type Tally struct {
	spool.Daily[Count]

	mu      sync.Mutex
	day     string
	domains map[string]bool // of that day
}

// New returns a Tally that counts in the states of a spool.
func New(states spool.States) *Tally {
	return &Tally{Daily: spool.Daily[Count]{States: states, Room: Room}}
}

// Count is what was counted of a domain on a day.
type Count struct {
	Policy  dmarcrpt.Published
	To      []string // rua=, as it was last
	Records []dmarcrpt.Record
	More    int64 // messages that are in no record
}

// Note counts a message: its policy, where its reports are wanted, and a record of one. What
// cannot be written is not counted.
func (t *Tally) Note(ctx context.Context, at time.Time, policy dmarcrpt.Published, to []string, r dmarcrpt.Record) {
	if !t.hasRoom(at, policy.Domain) {
		return
	}
	err := t.Add(ctx, at, policy.Domain, func(c *Count) {
		c.Policy, c.To = policy, to
		c.add(r)
	})
	if errors.Is(err, spool.ErrLimit) {
		_ = t.Add(ctx, at, policy.Domain, func(c *Count) { c.More += r.Row.Count }) // what cannot be written is not counted
	}
}

// hasRoom reports whether a domain may be counted on a day.
func (t *Tally) hasRoom(at time.Time, domain string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if day := at.UTC().Format(time.DateOnly); day != t.day {
		t.day, t.domains = day, map[string]bool{}
	}
	if !t.domains[domain] && len(t.domains) >= maxDomains {
		return false
	}
	t.domains[domain] = true
	return true
}

// add counts a record with those that are alike.
func (c *Count) add(r dmarcrpt.Record) {
	for i := range c.Records {
		if alike(&c.Records[i], &r) {
			c.Records[i].Row.Count += r.Row.Count
			return
		}
	}
	if len(c.Records) >= maxRecords {
		c.More += r.Row.Count
		return
	}
	c.Records = append(c.Records, r)
}

func alike(a, b *dmarcrpt.Record) bool {
	one, other := *a, *b
	one.Row.Count, other.Row.Count = 0, 0
	return reflect.DeepEqual(one, other)
}
