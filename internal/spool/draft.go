package spool

import (
	"context"
	"io"

	"github.com/posthouse/posthouse/internal/mail"
)

// Draft is a message that is being taken in. Nobody else sees it. It ends with
// Commit or Abort, whichever is first; Abort after that does nothing, and every
// other call returns [ErrClosed].
type Draft interface {
	// ID is the ID that the message will have; it may be told in a Received field.
	ID() mail.ID

	// Write appends to the content. ErrFull if the disk is full by now: the draft
	// can then only be aborted.
	io.Writer

	// Content is what was written so far, without prepended fields. It may be
	// opened more than once before the draft ends, and written on after that: a reader
	// ends where the content ended when it was opened.
	mail.Content

	// Commit makes the message ours. When it returns without error, envelope and
	// content are durable (P1). It returns the lease if one was asked for, born in
	// the same transaction, so that no other owner can take the arrival.
	//
	// ErrInDoubt and ErrFailed mean that the message may be there after the next
	// start; with every other error it is not. The draft ends in any case.
	Commit(ctx context.Context, commit Commit) (*Lease, error)

	// Abort forgets the draft.
	Abort()
}

// InMemory is a [Draft] whose content may be in memory.
type InMemory interface {
	// Memory is the content as it was written so far, if that is in memory. It must
	// not be changed, and is good until the draft is written to or ends.
	Memory() (content []byte, is bool)
}

// Commit is what a draft becomes.
type Commit struct {
	// Envelope of the message, with at least one recipient. The engine sets its ID
	// and Size. Recipients are fresh, or waiting if HoldUntil is in the future.
	Envelope mail.Envelope

	// Prepend is put before what was written: whole header fields, each ended by CRLF.
	Prepend []byte

	// Facts of this arrival for the journal; their ID is the message's.
	Facts []Fact

	// For is the owner that wants a lease on all recipients that may be tried
	// at once. The zero Owner wants none. If its epoch is over, the message is
	// committed without a lease.
	For Owner
}
