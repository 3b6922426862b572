//go:build linux

package proc

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestStatOfAProgramWithAHostileName(t *testing.T) {
	got, err := parseStat([]byte("42 (a) R 7 (b) S 17 42 42 0 -1 4194304 1 2 3 4 250 50 30 20 20 0 1 0 99\n"))
	want := Process{PID: 42, Parent: 17, Used: 3 * time.Second, Reaped: 500 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "42 (a", ")(", "42 (a) S 17", "42 (a) S x 42 42 0 -1 4194304 1 2 3 4 250 50 30 20"} {
		if p, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken for %+v", text, p)
		}
	}
}

func TestDescend(t *testing.T) {
	var pids []int
	for _, p := range descend(2, []Process{{PID: 5, Parent: 4}, {PID: 2, Parent: 1}, {PID: 4, Parent: 2}, {PID: 3, Parent: 1}, {PID: 6, Parent: 2}}) {
		pids = append(pids, p.PID)
	}
	slices.Sort(pids)
	if !slices.Equal(pids, []int{4, 5, 6}) {
		t.Errorf("below 2 are %v", pids)
	}
}

func TestUsedCountsThoseThatEnded(t *testing.T) {
	if got := used([]Process{{Used: 1, Reaped: 20}, {Used: 300}}); got != 321 {
		t.Errorf("got %d", got)
	}
}

func TestBusyLeavesOutWaiting(t *testing.T) {
	got, err := parseBusy([]byte("cpu  100 10 50 9999 8888 1 2 37 5 6\ncpu0 1 2 3 4\n"))
	if want := 2 * time.Second; err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := parseBusy([]byte("cpu 1 2\n")); err == nil {
		t.Error("a short line is taken")
	}
}

func TestKilobytes(t *testing.T) {
	text := []byte("55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:      812 kB\nPss:         200 kB\nPss_Dirty: 7 kB\n")
	if got := kilobytes(text, "Pss:"); got != 200<<10 {
		t.Errorf("got %d", got)
	}
	if got := kilobytes(text, "Swap:"); got != 0 {
		t.Errorf("what is not there is %d", got)
	}
}

func TestThisProcess(t *testing.T) {
	me, err := Of(os.Getpid())
	if err != nil || me.Parent != os.Getppid() {
		t.Errorf("this process is %+v, %v; its parent is %d", me, err, os.Getppid())
	}
	above, err := Below(me.Parent)
	if err != nil || !slices.ContainsFunc(above, func(p Process) bool { return p.PID == me.PID }) {
		t.Errorf("this process is not below its parent: %v", err)
	}
	if m, err := MemoryBelow(me.Parent); err != nil || m.Shared <= 0 || m.Resident < m.Shared || m.Peak < m.Resident/2 {
		t.Errorf("the memory is %+v, %v", m, err)
	}
	if busy, err := Busy(); err != nil || busy <= 0 {
		t.Errorf("the machine has used %v, %v", busy, err)
	}
}
