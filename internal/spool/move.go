package spool

import (
	"context"
	"fmt"

	"github.com/posthouse/posthouse/internal/mail"
)

// Importer is an [Engine] into which the mail of another can be copied, while nobody
// else works with either of them. The other is read by List, Open, Facts, Rooms and States.
// What is imported may be lazy: it is durable once Close has returned without error.
type Importer interface {
	// Import takes over a message as List tells of it: all of its recipients that are
	// not done, by index; the others are done. ID, size and places stay as they are, and who holds a
	// lease does not matter. A fresh recipient that is suspect may become a waiting
	// one that is due at once. ErrConflict if the message is there already.
	Import(ctx context.Context, items []Item, content mail.Content) error

	// ImportFacts appends facts to the journal with the places that they have. These
	// grow, and are greater than any before; else ErrConflict, and nothing is appended.
	ImportFacts(ctx context.Context, facts []Fact) error

	// Rooms are the rooms that have states, by name, from the first one after the name given.
	Rooms(ctx context.Context, after string, limit int) ([]string, error)
}

// CheckImport reports what no engine can import.
func CheckImport(items []Item, content mail.Content) error {
	if len(items) == 0 {
		return fmt.Errorf("import: no recipient: %w", ErrLimit)
	}
	env := items[0].Envelope
	if n := len(env.To); n > MaxRecipients {
		return fmt.Errorf("import %s: %d recipients: %w", env.ID, n, ErrLimit)
	}
	for i := range items {
		it := &items[i]
		switch {
		case it.Envelope.ID != env.ID:
			return fmt.Errorf("import %s: a recipient is of %s: %w", env.ID, it.Envelope.ID, ErrLimit)
		case it.Standing.Recipient >= len(env.To) || i > 0 && it.Standing.Recipient <= items[i-1].Standing.Recipient:
			return fmt.Errorf("import %s: recipient %d is out of place: %w", env.ID, it.Standing.Recipient, ErrLimit)
		case it.Standing.Fate.Final():
			return fmt.Errorf("import %s: recipient %d is done: %w", env.ID, it.Standing.Recipient, ErrLimit)
		case len(it.Standing.Destination) > MaxName:
			return fmt.Errorf("import %s: destination of %d octets: %w", env.ID, len(it.Standing.Destination), ErrLimit)
		}
	}
	if content.Size() != env.Size {
		return fmt.Errorf("import %s: content of %d octets, not %d: %w", env.ID, content.Size(), env.Size, ErrDamaged)
	}
	return nil
}

// CheckPlaces reports facts whose places do not grow from the last one of a journal.
func CheckPlaces(last uint64, facts []Fact) error {
	for i := range facts {
		if facts[i].Seq <= last {
			return fmt.Errorf("place %d of the journal comes after %d: %w", facts[i].Seq, last, ErrConflict)
		}
		last = facts[i].Seq
	}
	return checkFacts(facts)
}
