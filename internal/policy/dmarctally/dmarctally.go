// Package dmarctally counts what DMARC found of the mail of each domain, for the reports that its
// owner wants (RFC 9990). Counts stand in the spool, one for each day and policy, until the report
// was sent.
package dmarctally

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/dmarcrpt"
	"github.com/posthouse/posthouse/internal/spool"
)

// States is the part of a [spool.Engine] that keeps counts.
type States interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (version uint64, err error)
	States(ctx context.Context, room, after string, limit int) ([]spool.State, error)
}

// Room is where counts are kept, by day and domain.
const Room = "dmarc"

// Bounds of the counts. What is beyond is not counted, and the report says so.
const (
	keep       = 4 * 24 * time.Hour // a report that cannot be sent is given up then
	maxRecords = 150                // of a domain in a day, and as many as fit into maxOctets
	maxOctets  = 60 << 10
	maxDomains = 10_000 // of a day: any name below a domain may have a policy
	maxTries   = 50
)

// Tally counts. There is one for the states of a spool.
type Tally struct {
	States States // in the room [Room]

	mu      sync.Mutex
	day     string
	domains map[string]bool // of that day
}

// Count is what was counted of a domain on a day.
type Count struct {
	Day     time.Time `json:"-"` // its beginning, in UTC
	Domain  string    `json:"-"` // where the policy was found
	Policy  dmarcrpt.Published
	To      []string // rua=, as it was last
	Records []dmarcrpt.Record
	More    int64 // messages that are in no record

	version uint64
}

// Note counts a message: its policy, where its reports are wanted, and a record of one. What
// cannot be written is not counted.
func (t *Tally) Note(ctx context.Context, at time.Time, policy dmarcrpt.Published, to []string, r dmarcrpt.Record) {
	c := Count{Day: at.UTC().Truncate(24 * time.Hour), Domain: policy.Domain}
	if !t.room(&c) {
		return
	}
	for range maxTries { // others count too
		if err := t.note(ctx, c, policy, to, r); !errors.Is(err, spool.ErrConflict) {
			return
		}
	}
}

// room reports whether a domain may be counted today.
func (t *Tally) room(c *Count) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if day := c.Day.Format(time.DateOnly); day != t.day {
		t.day, t.domains = day, map[string]bool{}
	}
	if !t.domains[c.Domain] && len(t.domains) >= maxDomains {
		return false
	}
	t.domains[c.Domain] = true
	return true
}

func (t *Tally) note(ctx context.Context, c Count, policy dmarcrpt.Published, to []string, r dmarcrpt.Record) error {
	state, err := t.States.State(ctx, Room, c.key())
	if err == nil {
		err = json.Unmarshal(state.Value, &c)
	} else if errors.Is(err, spool.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	before := len(c.Records)
	c.Policy, c.To = policy, to
	c.add(r)
	value, err := json.Marshal(&c)
	if err == nil && len(value) > maxOctets && len(c.Records) > before {
		c.Records, c.More = c.Records[:before], c.More+1
		value, err = json.Marshal(&c)
	}
	if err != nil {
		return err
	}
	_, err = t.States.PutState(ctx, spool.State{Room: Room, Key: c.key(), Value: value, Expires: c.Day.Add(keep)}, state.Version)
	return err
}

func (c *Count) key() string { return c.Day.Format(time.DateOnly) + " " + c.Domain }

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

// Before returns the counts of days that were over at a time, those of the first day first.
func (t *Tally) Before(ctx context.Context, now time.Time) ([]Count, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	var counts []Count
	for after := ""; ; {
		page, err := t.States.States(ctx, Room, after, spool.MaxPage)
		if err != nil || len(page) == 0 {
			return counts, err
		}
		for _, s := range page {
			after = s.Key
			day, domain, _ := strings.Cut(s.Key, " ")
			begin, err := time.Parse(time.DateOnly, day)
			if err != nil || !begin.Before(today) {
				continue
			}
			c := Count{Day: begin, Domain: domain, version: s.Version}
			if json.Unmarshal(s.Value, &c) == nil {
				counts = append(counts, c)
			}
		}
	}
}

// Done forgets a count, since its report was sent or nobody wants it.
func (t *Tally) Done(ctx context.Context, c *Count) error {
	_, err := t.States.PutState(ctx, spool.State{Room: Room, Key: c.key()}, c.version)
	return err
}
