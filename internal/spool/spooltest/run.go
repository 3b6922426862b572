package spooltest

import (
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Subject is an engine under test, empty, and what can be done to it. A nil
// hook skips the tests that need it.
type Subject struct {
	Engine spool.Engine

	// Crash cuts the power and opens what is left. The engine before it is abandoned.
	Crash func() spool.Engine
	// Reopen closes the engine and opens it again.
	Reopen func() spool.Engine
	// Spoil changes what is stored of the content of a message.
	Spoil func(id mail.ID)
	// Fill makes the disk full, or gives it room again.
	Fill func(full bool)
}

// Run runs the suite. Open is called once or more for each test, in a
// testing/synctest bubble, and closes its engine with t.Cleanup.
func Run(t *testing.T, open func(t testing.TB) Subject) {
	run(t, open, synctest.Test)
}

// RunRealTime is Run without the bubble, for an engine behind a real socket.
// It takes some ten seconds more, since leases then really expire.
func RunRealTime(t *testing.T, open func(t testing.TB) Subject) {
	run(t, open, func(t *testing.T, f func(*testing.T)) { f(t) })
}

func run(t *testing.T, open func(t testing.TB) Subject, bubble func(*testing.T, func(*testing.T))) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { s.play(newDesk(t, open(t))) })
		})
	}
	t.Run("model", func(t *testing.T) {
		bubble(t, func(t *testing.T) { playModel(t, open) })
	})
}

// story is one test of the suite.
type story struct {
	name string
	play func(*desk)
}

var stories = []story{
	{"a committed message reads back whole", readsBack},
	{"a draft reads back before it is committed", draftReadsBack},
	{"an aborted draft leaves nothing", abortLeavesNothing},
	{"an envelope keeps every field", envelopeKeepsFields},
	{"what no engine can keep is refused", refusesTooMuch},
	{"many commit at once", manyCommitAtOnce},
	{"a full disk refuses and recovers by itself", fullDisk},
	{"damage is quarantined and told", damageIsTold},
	{"damage while it is leased is settled and counted once", damageWhileLeased},
	{"an open reader outlives its message", readerOutlives},
	{"closed is closed", closedIsClosed},

	{"a lease is born with the commit", leaseBornWithCommit},
	{"two owners never hold one recipient", twoOwners},
	{"a destination gets no more than its share", destinationShare},
	{"skipped destinations wait", skipped},
	{"a deferred recipient comes back when due", deferredComesBack},
	{"the longest due come first", longestDueFirst},
	{"mail held until an instant is not leased before", holdUntil},
	{"an owner that stops beating loses its leases", lapsedOwner},
	{"an owner that joins again ends its former self", joinsAgain},
	{"released mail is leased again as it was", releasedAgain},
	{"two thousand first flights are found in pages", manyFresh},

	{"the last settlement removes the message", lastRemoves},
	{"each recipient has its own fate", ownFates},
	{"a report is committed with what it tells of", reportWithResult},
	{"an order wins over what is settled later", orderWins},
	{"a delivery already made is recorded whatever was ordered", deliveryRecorded},
	{"a removed message forgets its lease", removedWhileLeased},
	{"a report of what was set aside is set aside", reportSetAside},
	{"what a report tells of is recorded with it or not at all", toldTogether},
	{"a crash loses no report that was set aside", crashBeforeToldAgain},
	{"a recipient that is not held cannot be settled", notHeld},

	{"hold, free, retry, reroute, bounce, remove", orders},
	{"a list goes on where it stopped", listPages},
	{"a filter chooses by every field", filters},
	{"counts follow the mail", counts},

	{"the journal is read by message, by time and from its end", journal},
	{"a state is put only over the version expected", statesCompare},
	{"a state expires", statesExpire},
	{"states are listed by room", statesListed},

	{"a crash loses no commit and no durable settlement", crashKeeps},
	{"a crash after the lag loses nothing", crashAfterLag},
	{"after a crash what may have been tried is suspect", crashSuspect},
	{"after a clean stop nothing is suspect", reopenClean},
}
