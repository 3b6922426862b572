package house_test

import (
	"flag"
	"os"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/house"
	"github.com/posthouse/posthouse/internal/simdisk"
)

var (
	stopFlag  = flag.Int("stop", 0, "the journey stops before this operation of the disk")
	stepFlag  = flag.Int("step", 0, "so many operations later it stops once more, in a journey of its own; 0: it does not")
	crashFlag = flag.Uint64("crash", 0, "seed of what the power cut leaves")
	againFlag = flag.Int("again", 0, "and the start after that before this one")
	localFlag = flag.Bool("local", false, "the journey is one of mail within one machine")
	killFlag  = flag.Bool("kill", false, "only the program ends when the journey stops")
)

// thorough: all of it is to be played, which takes minutes.
func thorough() bool { return os.Getenv("POSTHOUSE_TEST_SIM") != "" }

// journey plays one.
func journey(t *testing.T, j house.Journey) (before simdisk.Operation, stopped bool, operations int) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 1)
		before, stopped, operations = j.Run(t)
	})
	return before, stopped, operations
}

// TestOneJourney plays the one that the flags name, or all that are some steps apart.
func TestOneJourney(t *testing.T) {
	for at := *stopFlag; !t.Failed(); at += *stepFlag {
		before, stopped, n := journey(t, house.Journey{StopAt: at, Crash: *crashFlag, Again: *againFlag, Kill: *killFlag, Local: *localFlag})
		t.Logf("operation %d of %d: %v", at, n, before)
		if !stopped || *stepFlag == 0 {
			return
		}
	}
}

// TestAJourneyThatStopsAnywhere: the disk stops before each of its operations in
// turn (or some of them). What was promised is kept, and comes to its end.
func TestAJourneyThatStopsAnywhere(t *testing.T) { stopAnywhere(t, house.Journey{}, 1, 61) }

// TestMailOfOneMachineThatStopsAnywhere: as that, where programs leave mail in the drop directory and
// Maildirs take it. How an empty spool begins, which is before that, the other journey has.
func TestMailOfOneMachineThatStopsAnywhere(t *testing.T) {
	stopAnywhere(t, house.Journey{Local: true}, 96, 61)
}

// stopAnywhere plays a journey again and again: it stops before the first operation, and then so many
// later each time, or one if all are to be played.
func stopAnywhere(t *testing.T, j house.Journey, first, step int) {
	aside(t)
	if thorough() {
		step = 1
	}
	tried := 0
	for at := first; !t.Failed(); at += step {
		j.StopAt, j.Crash, j.Kill, j.Again = at, uint64(at), at%7 == 0, 0
		if at%3 == 0 {
			j.Again = 1 + at%40
		}
		t.Logf("%+v", j)
		_, stopped, n := journey(t, j)
		tried++
		if !stopped {
			t.Logf("%d operations, %d of them tried", n, tried)
			if n < 200 {
				t.Errorf("the journey has only %d operations", n)
			}
			return
		}
	}
}
