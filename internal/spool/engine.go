package spool

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Limits of the contract. Every engine holds at least this much, and refuses
// more with [ErrLimit].
const (
	Lag           = 100 * time.Millisecond // a lazy call is durable after this at most
	MaxPrepend    = 256 * 1024             // octets of Commit.Prepend
	MaxRecipients = 100_000                // of a message
	MaxName       = 1024                   // octets of a destination, owner, room or key
	MaxFact       = 1024 * 1024            // octets of one fact
	MaxState      = 64 * 1024              // octets of a state's value
	MaxPage       = 1000                   // items of a page
)

// Engine keeps mail. All methods may be called by many goroutines at once; a
// Draft belongs to one. A context that ends before the work is handed to the disk
// stops the call with its error; one that ends later does not. Times are kept to the nanosecond, without zone.
//
// Any call may return [ErrFailed] or [ErrClosed] beside the errors named at it.
type Engine interface {
	// Begin starts the draft of a message of which size octets are announced (0:
	// not told), with a new ID. ErrFull if there is no room for it; nothing is then kept.
	Begin(ctx context.Context, size int64) (Draft, error)

	// Open returns the content of a committed message: the prepended fields and then
	// what was written to the draft. The content can be opened until the message is
	// removed; a reader that is open stays good after that. ErrNotFound; ErrDamaged,
	// here or from the reader before it says io.EOF, so that damage is never taken for a whole message.
	Open(ctx context.Context, id mail.ID) (mail.Content, error)

	// Join begins a new epoch for the owner of that name and ends the one before:
	// its leases are free again. The epoch ends if the owner does not Beat for ttl.
	Join(ctx context.Context, name string, ttl time.Duration) (Owner, error)

	// Beat renews all leases of an owner, for the ttl with which it joined.
	// ErrLeaseLost if its epoch is over.
	Beat(ctx context.Context, owner Owner) error

	// Lease takes recipients that are fresh or due and not leased, as want says.
	// ErrLeaseLost if the owner's epoch is over.
	Lease(ctx context.Context, owner Owner, want Want) (Taken, error)

	// Release gives leases back: the recipients are where they were, due as before.
	// Those that the owner does not hold are passed over.
	Release(ctx context.Context, owner Owner, refs []Ref) error

	// Settle records what came of leased recipients, all settlements in one batch,
	// and ends their leases. It returns one Settled for each settlement, in order.
	// An error of the call itself means that nothing is known: all of it or none is on disk (ErrInDoubt).
	// Drafts of reports that were not committed are still the caller's to Abort.
	Settle(ctx context.Context, owner Owner, settlements []Settlement) ([]Settled, error)

	// List returns recipients that are not done, by the age of their messages and
	// then by index.
	List(ctx context.Context, query Query) (Page, error)

	// Alter gives an order about each recipient that List would return for the same
	// query, in one batch a page, and returns them as they were before. An order
	// about a leased recipient wins over what its owner settles later (ErrAltered).
	// If fact is not nil, it makes the journal's record of the order about one
	// recipient as it was before; it must only compute, since the engine waits for it.
	Alter(ctx context.Context, query Query, order Order, fact func(Item) []byte) (Page, error)

	// Stats counts what is in the spool, without reading it all.
	Stats(ctx context.Context) (Stats, error)

	// Destinations returns those with waiting or held recipients, by name, from the first one after the name given.
	Destinations(ctx context.Context, after string, limit int) ([]Destination, error)

	// Damaged returns the messages in quarantine whose ID is after the given one.
	Damaged(ctx context.Context, after mail.ID, limit int) ([]Damage, error)

	// Note appends facts to the journal that belong to no Commit or Settle.
	Note(ctx context.Context, facts []Fact) error

	// Facts reads the journal.
	Facts(ctx context.Context, query FactQuery) (FactPage, error)

	// State reads a state. ErrNotFound if there is none, or it has expired.
	State(ctx context.Context, room, key string) (State, error)

	// PutState writes a state if the one that stands has version was; 0 stands for
	// none or an expired one. It returns the new version. A nil Value removes the
	// state. ErrConflict if the version is another.
	PutState(ctx context.Context, state State, was uint64) (version uint64, err error)

	// States returns the states of a room that have not expired, by key, from the first one after the key given.
	States(ctx context.Context, room, after string, limit int) ([]State, error)

	// Close makes everything durable and ends the engine. Open drafts are aborted.
	// It waits for calls that are under way.
	Close() error
}
