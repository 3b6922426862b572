// Library compares package smtpserver with emersion/go-smtp, and package
// smtpclient with net/smtp, in one run: every round starts each of them in a
// process of its own, in turn, so that a machine whose speed drifts is fair to
// both. See ../README.md.
//
// The program starts itself: "library serve NAME" is a server that reads and
// discards, "library send NAME ..." a client. Each tells on its standard output
// what it used.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/bench/internal/load"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		serve(os.Args[2])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "send" {
		send(os.Args[2], os.Args[3:])
		return
	}
	reps := flag.Int("reps", 3, "rounds; medians are printed")
	scale := flag.Float64("scale", 1, "how many messages, as a multiple of the usual")
	only := flag.String("only", "", "only the workloads whose name begins with this")
	asJSON := flag.Bool("json", false, "print each figure of each round as JSON, one a line")
	flag.Parse()
	fmt.Fprintf(os.Stderr, "%s, %d CPUs, %s\n", cpuName(), runtime.NumCPU(), runtime.Version())
	for _, w := range workloads(*scale) {
		if strings.HasPrefix(w.name, *only) {
			w.measure(*reps, *asJSON)
		}
	}
}

// workload is one measurement, of ours and of a peer.
type workload struct {
	name    string
	ours    string
	peer    string
	figures []figure
	run     func(name string) (map[string]float64, error)
}

// figure is one of the numbers that a workload yields.
type figure struct {
	name string
	goal string // what the ratio ours/peer should be
	unit string
}

var (
	rate   = figure{"messages/s", "", "/s"}
	cpu    = figure{"CPU a message", "", "µs"}
	allocs = figure{"allocations a message", "", ""}
	bytes_ = figure{"bytes allocated a message", "", "B"}
)

func (f figure) aim(goal string) figure { f.goal = goal; return f }

func workloads(scale float64) []workload {
	n := func(v int) int { return max(1, int(float64(v)*scale)) }
	server := func(name string, figures []figure, l load.Load) workload {
		return workload{"server/" + name, "posthouse", "go-smtp", figures, func(subject string) (map[string]float64, error) {
			return loadServer(subject, l)
		}}
	}
	client := func(name string, figures []figure, l load.Load) workload {
		return workload{"client/" + name, "posthouse", "net/smtp", figures, func(subject string) (map[string]float64, error) {
			return runClient(subject, l)
		}}
	}
	all := []figure{rate, cpu, allocs, bytes_}
	small := []figure{rate.aim("> 1"), cpu.aim("<= 0.75"), allocs, bytes_}
	medium := []figure{rate.aim("> 1"), cpu.aim("<= 0.4"), allocs, bytes_}
	memory := []figure{{"memory a session", "<= 8192 B", "B"}}
	return []workload{
		server("4KB-20-reused", small, load.Load{Sessions: 20, Messages: n(20000), Size: 4 << 10}),
		server("4KB-20-new", all, load.Load{Sessions: 20, Messages: n(8000), Size: 4 << 10, Fresh: true}),
		server("40KB-20-reused", medium, load.Load{Sessions: 20, Messages: n(8000), Size: 40 << 10}),
		server("40KB-20-new", all, load.Load{Sessions: 20, Messages: n(4000), Size: 40 << 10, Fresh: true}),
		server("10MB-5-reused", []figure{{"MB/s", ">= 2", ""}, cpu, allocs}, load.Load{Sessions: 5, Messages: n(60), Size: 10 << 20}),
		{"server/idle", "posthouse", "go-smtp", memory, func(subject string) (map[string]float64, error) {
			return idle(subject, n(10000))
		}},
		client("4KB-1-reused", []figure{rate.aim(">= 1.6"), cpu, allocs, bytes_}, load.Load{Sessions: 1, Messages: n(8000), Size: 4 << 10}),
		client("4KB-20-reused", all, load.Load{Sessions: 20, Messages: n(20000), Size: 4 << 10}),
		client("4KB-20-new", all, load.Load{Sessions: 20, Messages: n(6000), Size: 4 << 10, Fresh: true}),
		client("40KB-20-reused", all, load.Load{Sessions: 20, Messages: n(8000), Size: 40 << 10}),
		client("10MB-5-reused", []figure{{"MB/s", "> 1", ""}, cpu}, load.Load{Sessions: 5, Messages: n(60), Size: 10 << 20}),
	}
}

// measure runs the workload in turn, ours and the peer's, and prints medians.
func (w workload) measure(reps int, asJSON bool) {
	got := map[string][]map[string]float64{}
	for rep := range reps {
		for _, name := range []string{w.ours, w.peer} {
			r, err := w.run(name)
			if err != nil {
				log.Fatalf("%s %s: %v", w.name, name, err)
			}
			got[name] = append(got[name], r)
			if asJSON {
				line, _ := json.Marshal(map[string]any{"workload": w.name, "subject": name, "round": rep, "figures": r})
				fmt.Println(string(line))
			}
		}
	}
	if asJSON {
		return
	}
	fmt.Printf("\n%s\n", w.name)
	for _, f := range w.figures {
		ours, peer := median(got[w.ours], f.name), median(got[w.peer], f.name)
		fmt.Printf("  %-26s posthouse %10.1f %-3s %9s %10.1f %-3s ratio %5.2f",
			f.name, ours, f.unit, w.peer, peer, f.unit, ours/peer)
		if f.goal != "" {
			fmt.Printf("   (goal %s)", f.goal)
		}
		fmt.Println()
	}
}

func median(rounds []map[string]float64, name string) float64 {
	var v []float64
	for _, r := range rounds {
		v = append(v, r[name])
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimLeft(name, " \t:")
		}
	}
	return runtime.GOARCH
}
