// Package pgspool is the spool that several machines share, in PostgreSQL.
//
// # How it is fast
//
// What a commit costs is the wait for the disks of the primary and its standby. So commits that come
// at the same time are gathered into one transaction, which goes to the database in one piece
// (commit.go). A settlement takes two trips: what stands is read and locked, judged here, and written.
//
// Contents are never deleted row by row: they are in a table for each hour, which is
// dropped an hour after its end; the little that is still there then is moved (body.go, house.go). Counts
// are rows that are added and folded (tally.go), so that no transaction waits for another.
//
// # Who has what
//
// A lease is a number in a recipient's row: the epoch of its owner. Epochs end by the clock of the database
// and nobody else's. Commit, Lease and Settle lock the row of their owner so that others may do the same
// but nobody may end the epoch before they are done; who ends it frees the leases, suspect, in the same transaction.
// So a result that comes late finds its epoch over, whatever the clock of its node says.
//
// # The journal
//
// Places of the journal are taken before their transaction ends. A lock tells readers where something is
// still to come, and they stop before it: nobody goes past a fact that he has not seen (schema/0001_spool.sql).
//
// # How it fails
//
// Connections are made again. Of a settlement or commit whose end was sent and whose answer was not heard the database is
// asked what became of it (unheard.go), and what is found is believed when the standby has it; what cannot
// be found out in time is spool.ErrInDoubt. While
// the standby is gone, the disk is full or the primary is away, Begin refuses (pulse.go), and a commit that
// waits for its standby in vain ends in doubt, never as done: also not when the database,
// told to stop waiting, says that it is done with a warning (connect.go): it counts when a standby is back in time. No error says spool.ErrFailed: the
// machine of the database is not this one, and comes back.
package pgspool
