// Package memspool is a spool in memory: for tests, for the simulated world and
// for a house that may forget its mail. It keeps the whole contract but for what
// a process leaves behind when it ends.
//
// It is deterministic: with the same calls, the same times and the same random
// octets it answers the same, and it starts no goroutine. What [Spool.Crash]
// forgets is what the contract allows: every lazy call that is younger than
// [spool.Lag] and was not followed by a durable one.
package memspool
