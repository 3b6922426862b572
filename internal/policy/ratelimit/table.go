package ratelimit

import (
	"net/netip"
	"sync"
	"time"
)

// key is what is counted of whom.
type key struct {
	kind
	where netip.Prefix
}

// table remembers, for each key, when all that was taken would be paid back: a bucket that
// leaks, in one number. Of its two generations the older one is dropped when the
// younger one is full, so that it holds most keys at most and no call looks at many.
type table struct {
	most int

	mu         sync.Mutex
	young, old map[key]int64 // Unix nanoseconds
}

// take takes one, unless there were too many.
func (t *table) take(k key, r Rate, now time.Time) bool {
	each := int64(r.each())
	if each == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.young[k]
	if !known {
		at = t.old[k]
	}
	at = max(at, now.UnixNano())
	if at+each > now.UnixNano()+each*int64(r.Count) {
		return false
	}
	if !known {
		t.makeRoom()
	}
	t.young[k] = at + each
	return true
}

func (t *table) makeRoom() {
	if t.young == nil || len(t.young) >= max(t.most/2, 1) {
		t.old, t.young = t.young, map[key]int64{}
	}
}
