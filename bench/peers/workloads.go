//go:build linux

package main

import (
	"context"
	"fmt"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// The figures that rounds yield, by their names in JSON.
const (
	rate      = "messages_per_second"
	accepted  = "accepted_per_second" // while a server also relays or delivers
	volume    = "megabytes_per_second"
	cost      = "cpu_us_per_message" // of all processes of the server
	cores     = "cores"              // that the server kept busy
	others    = "cores_of_others"    // neither server nor source nor sink nor this program
	session   = "kib_per_session"    // memory (PSS) that was added, by sessions
	opening   = "sessions_per_second"
	memory    = "resident_mib"
	peak      = "peak_resident_mib"
	empty     = "messages_per_second_when_empty"
	emptyCost = "cpu_us_per_message_when_empty"
	slower    = "of_the_rate_when_empty"
	ready     = "seconds_until_ready"
	first     = "seconds_until_first_delivery"
	disk      = "disk_mib"
)

// figures are what one round of one server has shown, by those names.
type figures map[string]float64

// column is a figure as the table shows it.
type column struct {
	figure string
	title  string
	digits int  // behind the point
	times  bool // compared with Postfix in another column
}

var (
	columnRate     = column{rate, "messages/s", 0, true}
	columnCost     = column{cost, "CPU µs/message", 0, true}
	rateAlone      = column{rate, "messages/s", 0, false} // there is no Postfix that shares a queue
	costAlone      = column{cost, "CPU µs/message", 0, false}
	columnCores    = column{cores, "cores", 2, false}
	columnOthers   = column{others, "others' cores", 2, false}
	columnAccepted = column{accepted, "accepted/s", 0, false}
)

// goal is what posthouse must reach in a workload.
type goal struct {
	figure string
	times  bool    // the figure is divided by Postfix's
	least  float64 // 0: none
	most   float64 // 0: none
	of     string  // the peer that must reach it; "": posthouse
}

// workload is one thing to measure.
type workload struct {
	name    string
	about   string
	mode    mode
	load    load.Load // its Messages are the most in a round
	measure func(context.Context, bench, peer, workload) (figures, error)

	// columns are what the table shows; the first also with its least and its most.
	columns []column
	goals   []goal

	byName bool // measured only when it is asked for by name
}

// most is the largest number of messages that a round may have; how many it has
// depends on how fast the server is.
const most = 200_000

func workloads(backlogged int) []workload {
	large := func(name, about string, sessions int) workload {
		return workload{
			name: name, about: about, mode: hold,
			load: load.Load{Sessions: sessions, Messages: 100, Size: 10 << 20}, measure: measureLarge,
			columns: []column{{volume, "MB/s", 0, true}, {session, "KiB a session", 0, false}, columnCost, columnCores, columnOthers},
			goals:   []goal{{figure: volume, times: true, least: 1.5}, {figure: session, most: 256}},
		}
	}
	return append(append(mailWorkloads(), secureWorkloads()...),
		large("large", "100 messages of 10 MB, 5 sessions: accepted durably", 5),
		large("large-100", "100 messages of 10 MB, all at once: accepted durably", 100), workload{
			name: "idle", about: "sessions that have said EHLO and wait", mode: hold, byName: true,
			measure: measureIdle,
			columns: []column{{session, "KiB a session", 1, true}, {opening, "sessions opened/s", 0, false}, {memory, "resident MiB in all", 0, false}},
		}, workload{
			name: "backlog", about: fmt.Sprintf("%d deferred messages of 4 KB lie in the spool", backlogged), mode: deferred, byName: true,
			load: load.Load{Sessions: 20, Messages: backlogged, Size: 4 << 10}, measure: measureBacklog,
			columns: []column{
				{rate, "accepted/s", 0, true},
				{empty, "when empty", 0, false},
				{slower, "ratio", 2, false},
				{cost, "CPU µs/message", 0, false},
				{emptyCost, "when empty", 0, false},
				{memory, "resident MiB", 0, false},
				{peak, "peak MiB", 0, false},
				{disk, "disk MiB", 0, false},
				{ready, "ready after s", 2, false},
				{first, "first delivery after s", 2, false},
			},
			goals: []goal{{figure: slower, least: 0.9}, {figure: memory, most: 400}, {figure: ready, most: 2}, {figure: first, most: 3}},
		}, sharing(workload{
			name: "cluster-accept-4k-100", about: "4 KB, 100 sessions over all nodes: accepted durably on two disks, none delivered", mode: sharedHold, byName: true,
			load: load.Load{Sessions: 100, Messages: most, Size: 4 << 10}, measure: measureAccept,
			columns: []column{rateAlone, costAlone, columnCores, columnOthers},
		}, 5000), sharing(workload{
			name: "cluster-relay-4k", about: "4 KB, 20 sessions over all nodes: until the sink has all", mode: sharedRelay, byName: true,
			load: load.Load{Sessions: 20, Messages: most, Size: 4 << 10}, measure: measureDelivery,
			columns: []column{rateAlone, columnAccepted, costAlone, columnCores, columnOthers},
		}, 2000))
}

// sharing is a workload in which a cluster of each size must reach a rate.
func sharing(w workload, least float64) workload {
	for _, who := range []string{"cluster-1", "cluster-2", "cluster-3"} {
		w.goals = append(w.goals, goal{figure: rate, least: least, of: who})
	}
	return w
}

// mailWorkloads are those that differ by the mode, the size and the sessions alone.
func mailWorkloads() []workload {
	accepting := []column{columnRate, columnCost, columnCores, columnOthers}
	sending := []column{columnRate, columnAccepted, columnCost, columnCores, columnOthers}
	times := func(least float64) []goal { return []goal{{figure: rate, times: true, least: least}} }
	accept := func(name, about string, least float64, l load.Load) workload {
		l.Messages = most
		return workload{name: "accept-" + name, about: about + ": accepted durably, none delivered", mode: hold, load: l, measure: measureAccept, columns: accepting, goals: times(least)}
	}
	deliver := func(name, about string, m mode, least float64, l load.Load) workload {
		l.Messages = most
		return workload{name: name, about: about, mode: m, load: l, measure: measureDelivery, columns: sending, goals: times(least)}
	}
	return []workload{
		accept("4k-20", "4 KB, 20 sessions that stay open", 8, load.Load{Sessions: 20, Size: 4 << 10}),
		accept("4k-100", "4 KB, 100 sessions that stay open", 11, load.Load{Sessions: 100, Size: 4 << 10}),
		accept("40k-20", "40 KB, 20 sessions that stay open", 5, load.Load{Sessions: 20, Size: 40 << 10}),
		accept("4k-20-new", "4 KB, 20 sessions, a connection for each message", 4, load.Load{Sessions: 20, Size: 4 << 10, Fresh: true}),
		deliver("relay-4k-20", "4 KB, 20 sessions that stay open: until the sink has all", relay, 8, load.Load{Sessions: 20, Size: 4 << 10}),
		deliver("relay-40k-20", "40 KB, 20 sessions that stay open: until the sink has all", relay, 5, load.Load{Sessions: 20, Size: 40 << 10}),
		deliver("maildir-4k-20", "4 KB, 20 sessions that stay open: until all lie in one Maildir", maildir, 3, load.Load{Sessions: 20, Size: 4 << 10}),
	}
}
