package ratelimit

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// key is what is counted of whom.
type key struct {
	kind
	where netip.Prefix
}

func (k key) String() string { return kindNames[k.kind] + " " + k.where.String() }

func parseKey(s string) (k key, ok bool) {
	what, where, _ := strings.Cut(s, " ")
	i := slices.Index(kindNames[:], what)
	p, err := netip.ParsePrefix(where)
	return key{kind(max(i, 0)), p}, i >= 0 && err == nil
}

// Table is what checks have counted, and outlives them. It remembers, for each key, when all that was taken would
// be paid back: a bucket that leaks, in one number. Of its two generations the older one is dropped when the
// younger one is full, so that it holds most keys at most and no call looks at many. What it counts it
// tells others, as a [spool.Counter] wants it. It may be used by many goroutines. Make one with [NewTable].
type Table struct {
	most int

	mu         sync.Mutex
	young, old map[key]int64 // Unix nanoseconds
	unsaid     spool.Unsaid
}

// NewTable makes a table that remembers so many addresses and networks; 0: 100,000.
func NewTable(most int) *Table {
	if most <= 0 {
		most = 100_000
	}
	return &Table{most: most}
}

// take takes one, unless there were too many.
func (t *Table) take(k key, r Rate, now time.Time) bool {
	each := int64(r.each())
	if each == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := max(t.at(k), now.UnixNano())
	if at+each > now.UnixNano()+each*int64(r.Count) {
		return false
	}
	t.put(k, at+each)
	t.tell(k, r, at-now.UnixNano(), each)
	return true
}

// trifle is the part of a rate below which nobody else is told who came: most clients never take more.
const trifle = 20

// tell notes for others that to what a key had taken something was added.
func (t *Table) tell(k key, r Rate, had, each int64) {
	trifling := each * int64(r.Count) / trifle
	switch {
	case had+each < trifling:
	case had < trifling:
		t.unsaid.Add(k.String(), time.Duration(had+each))
	default:
		t.unsaid.Add(k.String(), time.Duration(each))
	}
}

func (t *Table) at(k key) int64 {
	if at, known := t.young[k]; known {
		return at
	}
	return t.old[k]
}

func (t *Table) put(k key, at int64) {
	if _, known := t.young[k]; !known && (t.young == nil || len(t.young) >= max(t.most/2, 1)) {
		t.old, t.young = t.young, map[key]int64{}
	}
	t.young[k] = at
}

// Tell returns a channel that has a value when there is something to tell. It is for one listener.
func (t *Table) Tell() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsaid.Tell()
}

// Unsaid takes some of what was counted and not told yet. It is to be told to a [spool.Counter]; what it
// answers goes to Hear, and what came to nobody to Return.
func (t *Table) Unsaid() []spool.Counted {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsaid.Take()
}

// Return takes back what came to nobody.
func (t *Table) Return(counted []spool.Counted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsaid.Return(counted)
}

// Hear takes what stands over all nodes.
func (t *Table) Hear(counts []spool.Count, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range counts {
		if k, ok := parseKey(c.Key); ok {
			t.put(k, now.Add(c.Left+t.unsaid.Of(c.Key)).UnixNano())
		}
	}
}
