package password

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// Decoys are what is tried for a name that nobody has, so that it costs what somebody's
// password does. They learn from what is seen. Make them with [NewDecoys]. They may be
// used by many goroutines.
type Decoys struct {
	key []byte

	mu   sync.Mutex
	seen []Kept // one of each cost
}

// mostSeen is how many costs are told apart.
const mostSeen = 16

// NewDecoys makes decoys of the usual cost. Those that have one key choose alike.
func NewDecoys(key []byte) *Decoys { return &Decoys{key: key} }

// NewKey makes a key for decoys.
func NewKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return key
}

// See notes what somebody's password costs.
func (d *Decoys) See(k Kept) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.seen {
		if s.price() == k.price() {
			return
		}
	}
	if len(d.seen) < mostSeen {
		d.seen = append(d.seen, k.decoy(make([]byte, sha256.Size)))
	}
}

// For is what is tried for a name: of the same cost for the same name, as long as no other
// costs are seen.
func (d *Decoys) For(name string) Kept {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(name))
	seed := mac.Sum(nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen) == 0 {
		return (&Hash{cost: usualCost}).decoy(seed)
	}
	return d.seen[binary.BigEndian.Uint64(seed)%uint64(len(d.seen))].decoy(seed)
}
