package spool

import "errors"

// What a caller branches on. Every error of an engine that belongs to one of
// these wraps it.
var (
	// ErrFull: the disk has no room for more mail (452 4.3.1). It passes by
	// itself when there is room again; settling goes on meanwhile.
	ErrFull = errors.New("spool is full")
	// ErrFailed: a write or a sync failed, and nothing after it reaches the disk
	// (451 4.3.0). Every call from then on fails with it; the process should drain and exit.
	ErrFailed = errors.New("spool has failed")
	// ErrInDoubt: the call may or may not have taken effect, and whoever opens the
	// spool next will see. A Commit in doubt gets no 250, and the client tries again.
	ErrInDoubt = errors.New("commit is in doubt")
	// ErrDamaged: what was read is not what was written. The message is in
	// quarantine: nothing delivers or removes it, and Damaged lists it.
	ErrDamaged = errors.New("message is damaged")
	// ErrNotFound: there is no such message, state or recipient (any more).
	ErrNotFound = errors.New("not in the spool")
	// ErrLeaseLost: the owner's epoch is over, or it does not hold a recipient that it settles.
	ErrLeaseLost = errors.New("lease is lost")
	// ErrAltered: an operator's order came while the recipient was leased. What
	// was delivered is recorded, the rest is not; see [Settled].
	ErrAltered = errors.New("altered by an operator")
	// ErrConflict: a state is not at the version that the caller expected.
	ErrConflict = errors.New("state has changed")
	// ErrLimit: a value is larger than the contract allows.
	ErrLimit = errors.New("over a limit of the spool")
	// ErrClosed: the spool, or the draft, is no longer open.
	ErrClosed = errors.New("spool is closed")
)
