package house_test

import (
	"flag"
	"os"
	"os/exec"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/house"
)

var callFlag = flag.Int("call", 0, "the node of a journey dies of this call to the base")

// TestNodesShareABase: three nodes on one spool, while nodes die, sleep past their leases and
// go on, lines break in the middle of calls, and primaries fail. What one has promised another
// keeps; it holds what it sends, and nothing is sent twice without a reason and a record.
func TestNodesShareABase(t *testing.T) {
	aside(t)
	seeds, letters := 2, 150
	if thorough() {
		seeds, letters = 8, 400
	}
	var sum figures
	for seed := range uint64(seeds) {
		sum.add(story(t, 4000+seed, house.Plan{Letters: letters, Storm: true, Quiet: true, Nodes: 3}))
	}
	t.Logf("three nodes on one base: %v", sum)
}

// TestAClusterTellsOneStory: as houses do, in another process too.
func TestAClusterTellsOneStory(t *testing.T) {
	aside(t)
	want := story(t, 2, house.Plan{Letters: 80, Storm: true, Quiet: true, Nodes: 3}).hash
	c := exec.Command(os.Args[0], "-test.run=^TestASeed$", "-test.v", "-letters=80", "-seed=2", "-nodes=3")
	c.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := hashLine.FindSubmatch(out); got == nil || string(got[1]) != want {
		t.Errorf("seed 2 with GOMAXPROCS=1 tells %q, and here %s", got, want)
	}
}

// callJourney plays one.
func callJourney(t *testing.T, j house.CallJourney) (stopped bool, calls int) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 1)
		stopped, calls = j.Run(t)
	})
	if t.Failed() {
		t.Logf("%+v", j)
	}
	return stopped, calls
}

// TestOneCall plays the journey that the flags name, or all that are some steps apart.
func TestOneCall(t *testing.T) {
	for at := *callFlag; !t.Failed(); at += *stepFlag {
		if stopped, _ := callJourney(t, house.CallJourney{StopAt: at}); !stopped || *stepFlag == 0 {
			return
		}
	}
}

// TestAJourneyThatDiesOfAnyCall: the node dies of each of its calls to the base in turn
// (or some of them), before it is done and after.
func TestAJourneyThatDiesOfAnyCall(t *testing.T) {
	aside(t)
	step := 97
	if thorough() {
		step = 2
	}
	for at := 1; !t.Failed(); at += step {
		j := house.CallJourney{StopAt: at}
		if at%3 == 0 {
			j.Again = 1 + at%11
		}
		stopped, calls := callJourney(t, j)
		j.Done = true
		callJourney(t, j)
		if !stopped {
			t.Logf("%d calls", calls)
			if calls < 100 {
				t.Errorf("the journey has only %d calls", calls)
			}
			return
		}
	}
}
