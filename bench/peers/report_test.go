//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// TestTable: three rounds with an outlier, a peer that failed, and one that was
// not measured in that workload; then with the yardstick.
func TestTable(t *testing.T) {
	w := workload{
		name: "accept", about: "mail", columns: []column{columnRate, columnCost, columnOthers},
		goals: []goal{
			{figure: rate, times: true, least: 8},
			{figure: cost, most: 100},
			{figure: cost, most: 50},
			{figure: others, most: 1},
		},
	}
	r := report{Peers: []peerName{{"posthouse", "1"}, {"postfix", "3"}, {"exim", "4"}, {"opensmtpd", "6"}, {"yardstick", "0"}}}
	for _, v := range []float64{15000, 16000, 900} {
		r.Rounds = append(r.Rounds, round{Work: "accept", Peer: "posthouse", Figures: figures{rate: v, cost: 70}})
	}
	for _, v := range []float64{1500, 2000} {
		r.Rounds = append(r.Rounds, round{Work: "accept", Peer: "postfix", Figures: figures{rate: v, cost: 1050.4, others: 0.25}})
	}
	r.Rounds = append(r.Rounds,
		round{Work: "accept", Peer: "exim", Error: "it slept"},
		round{Work: "other", Peer: "opensmtpd", Figures: figures{rate: 1}})
	holdTable(t, r, w, "testdata/table.txt")
	r.Rounds = append(r.Rounds, round{Work: "accept", Peer: "yardstick", Figures: figures{rate: 25000, cost: 35}})
	holdTable(t, r, w, "testdata/yardstick.txt")
	r.medians([]workload{w})
	if n := len(r.Medians); n != 3 || r.Medians[0].Share != 0.6 || r.Medians[0].Times < 8.57 || r.Medians[0].Times > 8.58 || r.Medians[0].Each[cost] != 70 || r.Medians[1].Of != 2 {
		t.Errorf("medians %+v", r.Medians)
	}
}

func holdTable(t *testing.T, r report, w workload, path string) {
	t.Helper()
	var got strings.Builder
	r.table(&got, w)
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestNumber(t *testing.T) {
	for want, got := range map[string]string{
		"0":             number(0, 0),
		"999":           number(999.4, 0),
		"1,000":         number(999.5, 0),
		"-25":           number(-25, 0),
		"-1,234.5":      number(-1234.5, 1),
		"12,345,678.90": number(12345678.9, 2),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestUsage(t *testing.T) {
	start := time.Unix(0, 0)
	before := reading{at: start, server: time.Second, machine: 100 * time.Second}
	after := reading{
		at: start.Add(2 * time.Second), server: 2 * time.Second, sink: 500 * time.Millisecond,
		self: 100 * time.Millisecond, machine: 103 * time.Second,
	}
	f := usage(load.Load{Messages: 1000, Size: 4000}, load.Sent{Took: time.Second, CPU: 400 * time.Millisecond}, before, after)
	wanted := figures{rate: 500, accepted: 1000, volume: 2, cost: 1000, cores: 0.5, others: 0.5}
	for name, want := range wanted {
		if got := f[name]; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestEnough(t *testing.T) {
	for _, c := range []struct {
		n          int
		took, each time.Duration
		most, want int
	}{
		{500, 100 * time.Millisecond, 3 * time.Second, most, 15000},
		{500, 10 * time.Second, 3 * time.Second, most, warm},      // too slow for the time
		{500, 10 * time.Microsecond, 3 * time.Second, most, most}, // too fast
		{100, 10 * time.Second, 3 * time.Second, 100, 100},        // as many as there are
	} {
		if got := enough(c.n, c.took, c.each, c.most); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestMachine(t *testing.T) {
	mounts := "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw,nodev 0 0\n/dev/b /var xfs ro 0 0\nbroken\n"
	for dir, want := range map[string]string{
		"/tmp": "tmpfs (rw,nodev)", "/tmpx": "ext4 (rw)", "/var/tmp/x": "xfs (ro)", "/": "ext4 (rw)",
	} {
		if got := fileSystem(mounts, dir); got != want {
			t.Errorf("%s lies on %s, want %s", dir, got, want)
		}
	}
	if got := fileSystem("", "/"); got != "unknown" {
		t.Errorf("no mounts: %s", got)
	}
	if got := cpuName("processor\t: 0\nmodel name\t: A  CPU\n"); got != "A  CPU" {
		t.Errorf("the CPU is %q", got)
	}
}
