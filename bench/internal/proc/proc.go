//go:build linux

// Package proc reads from /proc what processes have used. A server is often
// many processes, and those that have ended count too, so that the figures are
// those of a tree: see Below.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ, which Linux keeps at 100 a
// second towards programs whatever the kernel's own clock does.
const tick = 10 * time.Millisecond

// Process is one line of the table of processes.
type Process struct {
	PID, Parent int
	Used        time.Duration // CPU of its own, user and system
	Reaped      time.Duration // CPU of those below it that ended and were waited for
}

// parseStat reads /proc/PID/stat, see proc_pid_stat(5). The name of the program
// stands in parentheses and may hold anything, parentheses and spaces included.
func parseStat(text []byte) (Process, error) {
	open, shut := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return Process{}, fmt.Errorf("no program's name in %q", text)
	}
	fields := strings.Fields(string(text[:open]) + string(text[shut+1:]))
	const needed = 16 // up to the time of those that were waited for
	if len(fields) < needed {
		return Process{}, fmt.Errorf("%d fields in %q", len(fields), text)
	}
	var bad error
	number := func(i int) int {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			bad = err
		}
		return n
	}
	p := Process{
		PID:    number(0),
		Parent: number(2),
		Used:   time.Duration(number(12)+number(13)) * tick,
		Reaped: time.Duration(number(14)+number(15)) * tick,
	}
	return p, bad
}

// Of reads one process.
func Of(pid int) (Process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	return parseStat(text)
}

// all reads those that are there; one that ends meanwhile is left out.
func all() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := Of(pid); err == nil {
			found = append(found, p)
		}
	}
	return found, nil
}

// Below returns the processes that descend from pid, without itself.
func Below(pid int) ([]Process, error) {
	found, err := all()
	if err != nil {
		return nil, err
	}
	return descend(pid, found), nil
}

func descend(pid int, from []Process) []Process {
	children := map[int][]Process{}
	for _, p := range from {
		children[p.Parent] = append(children[p.Parent], p)
	}
	tree := children[pid]
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].PID]...)
	}
	return tree
}

// Used is what all below pid have used so far: those that live, and those that
// ended and were waited for by one of the tree or by pid.
//
// A process that ends while the table is read may be missed, as it is in neither
// place. So the table is read until the same processes are in it twice in a row,
// or often enough.
func Used(pid int) (time.Duration, error) {
	const often = 10
	var last []int
	for try := 1; ; try++ {
		root, err := Of(pid)
		if err != nil {
			return 0, err
		}
		tree, err := Below(pid)
		if err != nil {
			return 0, err
		}
		now := pids(tree)
		if try > 1 && slices.Equal(now, last) || try == often {
			return root.Reaped + used(tree), nil
		}
		last = now
	}
}

// pids are those of a tree, in order.
func pids(tree []Process) []int {
	var list []int
	for _, p := range tree {
		list = append(list, p.PID)
	}
	slices.Sort(list)
	return list
}

func used(tree []Process) (sum time.Duration) {
	for _, p := range tree {
		sum += p.Used + p.Reaped
	}
	return sum
}

// Memory is what a tree of processes holds, in octets.
type Memory struct {
	// Shared counts a page that n processes share as 1/n in each (PSS).
	Shared int64
	// Resident counts it fully in each (RSS).
	Resident int64

	// Peak is the sum of the most that each of them has had resident so far.
	Peak int64
}

// MemoryBelow adds up the memory of all below pid. One that ends meanwhile, or
// that we may not look into, is left out.
func MemoryBelow(pid int) (Memory, error) {
	tree, err := Below(pid)
	if err != nil {
		return Memory{}, err
	}
	var sum Memory
	for _, p := range tree {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.PID))
		if err != nil {
			continue
		}
		sum.Shared += kilobytes(text, "Pss:")
		sum.Resident += kilobytes(text, "Rss:")
		if text, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID)); err == nil {
			sum.Peak += kilobytes(text, "VmHWM:")
		}
	}
	return sum, nil
}

// kilobytes finds a line such as "Pss:   12 kB", and returns octets.
func kilobytes(text []byte, key string) int64 {
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, key)
		if !ok {
			continue
		}
		n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		return n << 10
	}
	return 0
}

// Busy is the CPU time that the whole machine has used since it started.
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(text)
}

// parseBusy adds the first line of /proc/stat, without the time in which the
// machine was idle or waited for a disk.
func parseBusy(text []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const idle, iowait, steal = 4, 5, 8
	if len(fields) <= steal || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var sum time.Duration
	for i, field := range fields[1 : steal+1] {
		if i+1 == idle || i+1 == iowait {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
