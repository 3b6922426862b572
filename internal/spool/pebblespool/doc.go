// Package pebblespool is the spool on the disk of one machine: envelopes,
// states, indexes and small bodies in Pebble, a log-structured store; large
// bodies in files of their own.
//
// # What is on the disk
//
//	DIR/pebble/   the store; keys.go says what its keys are
//	DIR/bodies/   bodies above Options.LargeBody; files.go says how they live and die
//	DIR/ballast   room that is given up when the disk is nearly full
//
// Every envelope, standing and body has a checksum over its content and the ID
// it belongs to. One that does not match puts its message in quarantine.
//
// # How it is fast
//
// A commit is one batch and a sync, which all share who commit while the disk is busy
// with the one before; a crowd is waited for, a moment (sync.go). A message that is delivered at once is removed by a
// lazy batch that names no new record but the journal's, and reads nothing; its records were
// written once and are deleted once, so they vanish in the memtable and reach only the log. The
// due index is written only when a delivery is deferred: first flights have a small record of
// their own, which the search passes once.
//
// Each kind of keys has tables of its own. Most kinds are ordered by time, so what is flushed lies
// behind what was there, and compactions have little to merge. Tables are written in large
// pieces (gather.go), body files as they arrive. A clean end leaves no log to read.
//
// # How it fails
//
// Pebble ends the process when it cannot write. So it writes through a latch
// (latch.go), which remembers the first failed write or sync, lets nothing after it
// reach the disk and pretends that all is well, so that the process can drain. Every call looks at the
// latch before it reports success, and returns spool.ErrFailed from then on; [Spool.Failed] tells the
// daemon. The next Open finds the disk as after a crash at that instant.
//
// # Locks
//
// Spool.index is held by whoever reads and changes the index; it is a channel.
// Commits of new mail do not need it. Spool.mu guards memory and is never held across a read or a
// write of the disk. Spool.calls lets Close wait for the others.
package pebblespool
