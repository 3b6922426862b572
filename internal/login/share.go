package login

import (
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// What a book counts it tells others, and hears from them what stands over all nodes, or stood before a restart. Which
// name was typed can be seen by nobody there (see [Book.Veil]).

// Tell returns a channel that has a value when there is something to tell. It is for one listener.
func (b *Book) Tell() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unsaid.Tell()
}

// Unsaid takes some of what was counted and not told yet. It is to be told to a [spool.Counter]; what it
// answers goes to Hear, and what came to nobody to Return.
func (b *Book) Unsaid() []spool.Counted {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unsaid.Take()
}

// Return takes back what came to nobody.
func (b *Book) Return(counted []spool.Counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsaid.Return(counted)
}

// Hear takes what stands over all nodes.
func (b *Book) Hear(counts []spool.Count, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range counts {
		name, key, _ := strings.Cut(c.Key, " ")
		for _, l := range b.ledgers() {
			if l.name == name+" " {
				l.hear(key, c.Left, now)
			}
		}
	}
}

func (b *Book) ledgers() [7]*ledger {
	return [...]*ledger{&b.pair, &b.known, &b.network, &b.wide, &b.strangers, &b.messages, &b.recipients}
}
