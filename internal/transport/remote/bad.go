package remote

import (
	"net/netip"
	"sync"
	"time"
)

// badHosts remembers for a short time the addresses at which nobody took mail, so
// that the next message does not wait for them first. It excludes nobody.
type badHosts struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

// Bounds of the memory.
const (
	badFor = time.Minute
	maxBad = 10_000
)

func (b *badHosts) add(a netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil || len(b.until) >= maxBad {
		b.until = map[netip.AddrPort]time.Time{} // to forget is harmless
	}
	b.until[a] = time.Now().Add(badFor)
}

func (b *badHosts) forget(a netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.until, a)
}

func (b *badHosts) has(a netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	until, ok := b.until[a]
	if ok && !time.Now().Before(until) {
		delete(b.until, a)
		return false
	}
	return ok
}
