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
	run(t, open, bubbleClock, true, synctest.Test)
}

// RunRealTime is Run without the bubble, for an engine behind a real socket. Stories
// in which leases and the like really expire take a minute more: they are played if long is true.
func RunRealTime(t *testing.T, open func(t testing.TB) Subject, long bool) {
	run(t, open, realClock, long, func(t *testing.T, f func(*testing.T)) { f(t) })
}

func run(t *testing.T, open func(t testing.TB) Subject, c clock, long bool, bubble func(*testing.T, func(*testing.T))) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			if s.long && !long {
				t.Skip("it waits for real time: only in the long run")
			}
			bubble(t, func(t *testing.T) { s.play(newDesk(t, open(t), c)) })
		})
	}
	t.Run("model", func(t *testing.T) {
		bubble(t, func(t *testing.T) { playModel(t, open, c) })
	})
}

// story is one test of the suite.
type story struct {
	name string
	play func(*desk)
	long bool // it waits for time to pass
}

var stories = []story{
	{"a committed message reads back whole", readsBack, false},
	{"a draft reads back before it is committed", draftReadsBack, false},
	{"an aborted draft leaves nothing", abortLeavesNothing, false},
	{"an envelope keeps every field", envelopeKeepsFields, false},
	{"what no engine can keep is refused", refusesTooMuch, false},
	{"many commit at once", manyCommitAtOnce, false},
	{"a full disk refuses and recovers by itself", fullDisk, true},
	{"damage is quarantined and told", damageIsTold, false},
	{"damage while it is leased is settled and counted once", damageWhileLeased, false},
	{"an open reader outlives its message", readerOutlives, true},
	{"closed is closed", closedIsClosed, false},

	{"a lease is born with the commit", leaseBornWithCommit, false},
	{"two owners never hold one recipient", twoOwners, false},
	{"a destination gets no more than its share", destinationShare, false},
	{"skipped destinations wait", skipped, false},
	{"a deferred recipient comes back when due", deferredComesBack, true},
	{"the longest due come first", longestDueFirst, false},
	{"mail held until an instant is not leased before", holdUntil, true},
	{"an owner that stops beating loses its leases", lapsedOwner, true},
	{"an owner that joins again ends its former self", joinsAgain, false},
	{"released mail is leased again as it was", releasedAgain, false},
	{"two thousand first flights are found in pages", manyFresh, true},

	{"the last settlement removes the message", lastRemoves, false},
	{"each recipient has its own fate", ownFates, false},
	{"a report is committed with what it tells of", reportWithResult, false},
	{"an order wins over what is settled later", orderWins, false},
	{"a delivery already made is recorded whatever was ordered", deliveryRecorded, false},
	{"a removed message forgets its lease", removedWhileLeased, false},
	{"a report of what was set aside is set aside", reportSetAside, false},
	{"what a report tells of is recorded with it or not at all", toldTogether, false},
	{"a crash loses no report that was set aside", crashBeforeToldAgain, false},
	{"a recipient that is not held cannot be settled", notHeld, false},

	{"hold, free, retry, reroute, bounce, remove", orders, false},
	{"a list goes on where it stopped", listPages, false},
	{"a filter chooses by every field", filters, false},
	{"counts follow the mail", counts, false},

	{"the journal is read by message, by time and from its end", journal, false},
	{"a state is put only over the version expected", statesCompare, false},
	{"a state expires", statesExpire, true},
	{"states are listed by room", statesListed, false},

	{"one owner may have a whole share, and gives it back", shareWhole, false},
	{"owners who want the same share it evenly", shareEvenly, false},
	{"three owners share one place", shareOne, false},
	{"shares are never more than there is", shareNeverMore, false},
	{"the share of an owner that joins again is free", shareOfTheDead, false},
	{"the share of an owner that stops beating is free", shareOfTheSilent, true},
	{"turns are spaced over all owners", shareTurns, false},
	{"a share that no engine can keep is refused", shareTooMuch, false},
	{"what several have counted adds up, and runs off", countsAddUp, true},
	{"counts are told since a mark", countsSince, true},

	{"a crash loses no commit and no durable settlement", crashKeeps, false},
	{"a crash after the lag loses nothing", crashAfterLag, false},
	{"after a crash what may have been tried is suspect", crashSuspect, false},
	{"after a crash what an order made due while it was leased is suspect", crashAfterOrder, true},
	{"after a clean stop nothing is suspect", reopenClean, false},
}
