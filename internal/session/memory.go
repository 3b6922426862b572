package session

import (
	"sync"
	"sync/atomic"
)

// memory is that of all rings: bounded, and used again and again.
type memory struct {
	most  int64 // octets
	each  int   // octets of one ring at the most
	used  atomic.Int64
	spare sync.Pool // of *[]byte, of leastRing octets
}

// leastRing is with how many octets a ring begins: enough for a session with a
// message or two.
const leastRing = 2 << 10

// enlarge makes room for need octets in a ring, if it may have that much and there is
// as much. Else it stays as it is, and forgets.
func (m *memory) enlarge(r *ring, need int) {
	has := cap(r.buf)
	if has >= m.each {
		return
	}
	wants := max(has, leastRing)
	for wants < need && wants < m.each {
		wants *= 2
	}
	if wants = min(wants, m.each); m.used.Add(int64(wants-has)) > m.most {
		m.used.Add(int64(has - wants))
		return
	}
	m.keep(r.grow(m.take(wants)))
}

func (m *memory) take(octets int) []byte {
	if octets == leastRing {
		if b, ok := m.spare.Get().(*[]byte); ok {
			return *b
		}
	}
	return make([]byte, 0, octets)
}

// keep holds memory for the next ring.
func (m *memory) keep(b []byte) {
	if cap(b) == leastRing {
		b = b[:0]
		m.spare.Put(&b)
	}
}

// free takes the memory of a ring that is not needed any more.
func (m *memory) free(r *ring) {
	m.used.Add(-int64(cap(r.buf)))
	m.keep(r.buf)
	*r = ring{first: r.next, next: r.next}
}
