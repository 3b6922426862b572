package login

import (
	"net/netip"
	"time"
)

// Fail counts a failure.
func (b *Book) Fail(name string, client netip.Addr, now time.Time) {
	b.take(try{name: name, client: client}, now)
}

// Size is how many entries there are.
func (b *Book) Size() (n int) {
	for _, l := range b.ledgers() {
		n += len(l.young) + len(l.old)
	}
	return n
}
