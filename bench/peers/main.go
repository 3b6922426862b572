//go:build linux

// Peers measures posthouse beside other mail servers, in one run and in turn, so
// that a machine whose speed drifts is fair to all. See ../README.md.
//
//	go run ./peers                                      # all that is here
//	go run ./peers -work accept-4k-20 -reps 5
//	go run ./peers -budget                              # where posthouse's CPU time goes
//
// Every round starts a server on an empty directory, warms it up, loads it with
// Postfix's smtp-source, and ends it. The program starts itself again as warden of
// a server, and as the baseline and the yardstick.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

func main() {
	warden.Main()
	if err := becomePeer(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "peers:", err)
		}
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	reps     int
	work     string
	peers    string
	each     time.Duration
	limit    time.Duration
	dir      string
	unpacked string
	backlog  int
	asJSON   bool
	budget   bool
	keep     string
	configs  string
	list     bool
	before   string
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.IntVar(&o.reps, "reps", 3, "rounds; medians are printed")
	f.StringVar(&o.work, "work", "", "workloads, such as accept-4k-20,relay-4k-20 or accept-* (all but idle, backlog and cluster-*)")
	f.StringVar(&o.peers, "peers", "posthouse,cluster-1,cluster-2,cluster-3,baseline,yardstick,postfix,opensmtpd,exim", "servers to measure")
	f.DurationVar(&o.each, "each", 3*time.Second, "about how long the load of a round takes")
	f.DurationVar(&o.limit, "limit", 2*time.Minute, "a round that takes longer has failed; the backlog may take twenty times as long")
	f.StringVar(&o.dir, "dir", "/var/tmp/posthouse-bench", "a directory that all users may enter, on the disk to measure")
	f.StringVar(&o.unpacked, "unpacked", "/var/tmp/posthouse-bench", "where packages of exim and opensmtpd are unpacked, in folders of these names")
	f.IntVar(&o.backlog, "backlog", 1_000_000, "messages of the workload backlog")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON document: the machine, every round, the medians")
	f.BoolVar(&o.budget, "budget", false, "print where posthouse's CPU time goes during the workloads, and nothing else")
	f.StringVar(&o.keep, "keep", "", "with -budget: a file for the last CPU profile (go tool pprof reads it)")
	f.StringVar(&o.configs, "configs", "", "a folder of other hold.hcl, relay.hcl, maildir.hcl and defer.hcl for posthouse")
	f.StringVar(&o.before, "before", "", "another build of posthouse, for the peer named before: what has a change brought?")
	f.BoolVar(&o.list, "list", false, "list the workloads")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q", f.Arg(0))
	}
	if o.reps < 1 || o.each <= 0 || o.limit <= 0 || o.backlog < 1 {
		return o, errors.New("-reps, -each, -limit and -backlog must be above zero")
	}
	o.dir, err = filepath.Abs(o.dir)
	return o, err
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	works, err := choose(workloads(o.backlog), o.work)
	if err != nil {
		return err
	}
	if o.list {
		for _, w := range workloads(o.backlog) {
			fmt.Printf("%-22s %s\n", w.name, w.about)
		}
		return nil
	}
	raiseFileLimit()
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(o.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	scratch, err := os.MkdirTemp(o.dir, "run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil {
		return err
	}
	if o.budget {
		return printBudget(ctx, scratch, works, o)
	}
	return compare(ctx, scratch, works, o)
}

// compare measures and prints.
func compare(ctx context.Context, scratch string, works []workload, o options) error {
	peers, names, err := find(ctx, scratch, o)
	if err != nil {
		return err
	}
	tools := load.Find()
	r := report{Machine: machine(o.dir), Peers: names, Tools: tools.String(), When: time.Now().Round(time.Second)}
	out := os.Stdout
	if o.asJSON {
		out = os.Stderr
	}
	r.head(out)
	b := bench{tools: tools, dir: scratch, each: o.each, limit: o.limit, watched: terminal(os.Stderr)}
	for _, w := range works {
		r.Rounds = append(r.Rounds, b.rounds(ctx, w, peers, o.reps)...)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		r.table(out, w)
	}
	if o.asJSON {
		return r.json(os.Stdout, works)
	}
	return nil
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// find returns those of the peers asked for that can be measured here, and tells
// why of the others.
func find(ctx context.Context, scratch string, o options) ([]peer, []peerName, error) {
	var found []peer
	var names []peerName
	for name := range strings.SplitSeq(o.peers, ",") {
		p, err := byName(ctx, strings.TrimSpace(name), scratch, o)
		if err != nil {
			return nil, nil, err
		}
		version, err := p.version(ctx)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", p.name(), err)
			continue
		}
		found, names = append(found, p), append(names, peerName{p.name(), version})
	}
	if len(found) == 0 {
		return nil, nil, errors.New("no server to measure")
	}
	return found, names, nil
}

func byName(ctx context.Context, name, scratch string, o options) (peer, error) {
	switch name {
	case "posthouse":
		return buildPosthouse(ctx, scratch, o.configs)
	case "cluster-1", "cluster-2", "cluster-3":
		p, err := buildPosthouse(ctx, scratch, o.configs)
		return cluster{p, int(name[len(name)-1] - '0')}, err
	case "baseline":
		return baseline{}, nil
	case "before":
		p, err := buildPosthouse(ctx, scratch, o.configs)
		p.program = o.before
		return before{p}, err
	case second:
		return ceiling{}, nil
	case "postfix":
		return postfix{}, nil
	case "exim":
		return exim{unpacked{filepath.Join(o.unpacked, name), "exim4"}}, nil
	case "opensmtpd":
		return opensmtpd{unpacked{filepath.Join(o.unpacked, name), "smtpd"}}, nil
	}
	return nil, fmt.Errorf("there is no peer %q: posthouse, cluster-1, cluster-2, cluster-3, baseline, yardstick, postfix, opensmtpd, exim", name)
}

// choose returns the workloads that a list of names and prefixes* asks for.
func choose(all []workload, list string) ([]workload, error) {
	if list == "" {
		return slices.DeleteFunc(all, func(w workload) bool { return w.byName }), nil
	}
	var chosen []workload
	for want := range strings.SplitSeq(list, ",") {
		prefix, any := strings.CutSuffix(strings.TrimSpace(want), "*")
		before := len(chosen)
		for _, w := range all {
			if w.name == prefix || any && strings.HasPrefix(w.name, prefix) {
				chosen = append(chosen, w)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no workload %q; -list names them", want)
		}
	}
	return chosen, nil
}

// lock has two runs of this program never measure each other.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		fmt.Fprintln(os.Stderr, "another run measures; waiting for its end")
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return nil, err
		}
	}
	return func() { _ = f.Close() }, nil
}

// raiseFileLimit lets thousands of sessions be open. The servers inherit it.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}

// json prints the document of --json.
func (r report) json(out *os.File, works []workload) error {
	r.medians(works)
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
