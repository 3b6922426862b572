// Package spool is the contract for keeping mail that we promised to deliver,
// and what has become of each recipient. It says what an engine does; the
// packages below it ([memspool], [pebblespool]) say how, and spooltest is the
// suite that each of them passes. The contract is about mail and not about
// keys, so that an engine with tables does it as well as one with a log.
//
// The spool decides neither when nor where to deliver: it is told. Three desks
// drive it.
//
// Intake takes mail in:
//
//	d, err := engine.Begin(ctx, declaredSize) // ErrFull: 452 before the data
//	io.Copy(d, body)                          // a large body goes to the disk as it arrives
//	check(d)                                  // a Draft is a mail.Content
//	lease, err := d.Commit(ctx, spool.Commit{Envelope: env, Prepend: fields, For: owner})
//	if err == nil { say250(d.ID()) }          // the only way to a 250
//
// Dispatch sends mail out. It joins once, beats while it lives, takes leases
// for as much as its window has room for, and settles what came of them:
//
//	owner, err := engine.Join(ctx, "node-1", 30*time.Second)
//	taken, err := engine.Lease(ctx, owner, spool.Want{Recipients: 500, PerDestination: 5000, Skip: busy})
//	content, err := engine.Open(ctx, lease.Envelope.ID)
//	settled, err := engine.Settle(ctx, owner, settlements) // one batch a call
//
// Admin looks and steers with List, Alter, Stats and Facts, and any desk keeps
// small values that must survive (greylist, cached policies) in States.
//
// # The life of a recipient
//
// A committed recipient is in exactly one of these places, on the disk:
//
//	fresh    never settled; found by its message's arrival
//	waiting  deferred, or held back until an instant; found by destination and due time
//	held     by an operator; found by nobody but an operator
//	done     its fate is final; gone with the message when all its recipients are
//
// A lease is not a place: it is a claim on a fresh or waiting recipient by one
// owner, and whoever loses it leaves the recipient where it was. An owner that
// does not beat in time loses all of its leases at once, and what it settles
// later is refused with [ErrLeaseLost], so that no two owners decide about a recipient.
//
// Removal is the last step of a settlement: the batch that makes the last
// recipient's fate final also removes envelope and body and holds the facts
// that remain. A crash sees all of it or none.
//
// # Durability
//
// Durable means: on stable storage when the call returns. Lazy means: in order,
// all or nothing, and on stable storage at most [Lag] after the call returned; a crash within
// that time forgets it. A later durable call makes every earlier lazy one durable.
//
//	Draft.Commit                 durable
//	Settle                       durable if any settlement carries a report or a last fate other
//	                             than delivered or relayed; else lazy
//	Alter                        durable
//	Note, PutState               lazy
//	Lease, Release, Join, Beat   not kept: after a crash there are no leases
//
// # Unclean stops
//
// If the engine was not closed, it cannot know what was tried just before. So
// every recipient that was fresh, or due (held or not), when it stopped has
// [Standing.Suspect] set until an attempt is settled: its next attempt may make a
// second copy, and the desk says so in the journal (P3 of the plan).
//
// The same holds of what an owner had leased when its epoch ended: it may be the owner
// that stopped, and not the engine.
//
// [memspool]: https://pkg.go.dev/github.com/posthouse/posthouse/internal/spool/memspool
// [pebblespool]: https://pkg.go.dev/github.com/posthouse/posthouse/internal/spool/pebblespool
package spool
