package pebblespool_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/simdisk"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// The sweeps stop a journey before every operation that would change its disk, in
// turn, and look whether what was acknowledged until then is kept. Nothing can be
// acknowledged after that which was not on the disk before, since nothing comes to it any more.

func thorough() bool { return os.Getenv("POSTHOUSE_TEST_ALL") != "" }

// left are some of the disks that a cut before an operation may leave, by what
// happened: legal outcomes of the cut by seed, and all that was written if only the
// process ends. Neighbouring operations have other seeds.
func left(d *simdisk.Disk, at int) iter.Seq2[string, *simdisk.Disk] {
	seeds := uint64(2)
	if thorough() {
		seeds = 6
	}
	return func(yield func(string, *simdisk.Disk) bool) {
		for seed := uint64(at); seed < uint64(at)+seeds; seed++ {
			if !yield(fmt.Sprintf("power cut, seed %d", seed), d.Crash(seed)) {
				return
			}
		}
		yield("process killed", d.Kill())
	}
}

// everyOperation runs f in a bubble with a disk that stops before each operation of a
// journey in turn, or each seventh one, until the journey has no more of them.
func everyOperation(t *testing.T, f func(t *testing.T, at int) (done bool)) {
	step := 7
	if thorough() {
		step = 1
	}
	for at := 1; !t.Failed(); at += step {
		done := false
		synctest.Test(t, func(t *testing.T) { done = f(t, at) })
		if done {
			if at < 150 {
				t.Errorf("the journey has only %d operations", at)
			}
			t.Logf("%d operations, one in %d tried", at, step)
			return
		}
	}
}

func TestAPowerCutAtAnyOperationLosesNothingAcknowledged(t *testing.T) {
	everyOperation(t, func(t *testing.T, at int) bool {
		d, j := simdisk.New(simdisk.Options{}), newJourney()
		d.StopBefore(at)
		err := j.run(d)
		before, stopped := d.Stopped()
		if (err != nil) != stopped {
			t.Errorf("stopped %v before operation %d (%v), and the journey ended with %v", stopped, at, before, err)
		}
		for how, disk := range left(d, at) {
			j.check(t, fmt.Sprintf("%s before operation %d (%v)", how, at, before), disk)
		}
		return !stopped
	})
}

func TestAFailedOperationIsNeverAcknowledged(t *testing.T) {
	everyOperation(t, func(t *testing.T, at int) bool {
		var failed simdisk.Operation
		n := 0
		d, j := simdisk.New(simdisk.Options{}), newJourney()
		d.Watch(func(o simdisk.Operation) {
			if n++; n == at {
				failed = o
			}
		})
		d.Fail(simdisk.Fault{Nth: at, Err: syscall.EIO, Short: at % 100})
		err := j.run(d)
		if n < at {
			return true
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d (%v) failed, and the journey ended with %v", at, failed, err)
		}
		for how, disk := range left(d, at) {
			j.check(t, fmt.Sprintf("operation %d (%v) failed, %s", at, failed, how), disk)
		}
		return false
	})
}

// TestAPowerCutDuringRecoveryLosesNothingAcknowledged: the power goes once in a
// journey, at its worst instants, and a second time before each operation of the start after it.
func TestAPowerCutDuringRecoveryLosesNothingAcknowledged(t *testing.T) {
	worst := map[string]bool{ // what is about to be done when the power goes first
		"sync folder " + dir: true, "sync folder " + dir + "/bodies": true, "rename": true, "remove": true, "create": true,
	}
	everyOperation(t, func(t *testing.T, at int) bool {
		d, j := simdisk.New(simdisk.Options{}), newJourney()
		d.StopBefore(at)
		_ = j.run(d) // it ends with the power
		before, stopped := d.Stopped()
		kind, _, _ := strings.Cut(before.String(), " /")
		every := 8
		if thorough() {
			every = 3
		}
		if hurts := worst[before.String()] || worst[kind]; stopped && (!hurts || at%every != 0) {
			return false
		}
		seed := uint64(at)
		for again := 1; ; again++ {
			second := d.Crash(seed)
			second.StopBefore(again)
			if s, err := pebblespool.Open(dir, small(second)); err == nil {
				_ = s.Close() // whatever became of it
			}
			during, cut := second.Stopped()
			what := fmt.Sprintf("power cut before operation %d (%v), seed %d, and before operation %d of recovery (%v)", at, before, seed, again, during)
			j.check(t, what, second.Crash(seed+uint64(again)))
			if !cut || t.Failed() {
				return !stopped
			}
		}
	})
}
