//go:build linux

// Viewers measures what it costs when people look at the console while mail flows.
// See ../README.md.
//
//	go run ./viewers                    # both scenes, five pairs each: about two minutes
//	go run ./viewers -scene inbox -viewers 500
//
// A scene is a house that runs throughout, and what is sent to it. A pair is a load with
// viewers and one without, now this first and now that: a machine whose speed drifts is
// fair to both.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

func main() {
	warden.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "viewers:", err)
		}
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	pairs, viewers int
	least          int // messages of a load
	scene          string
	each           time.Duration
	dir            string
	profile        string
	asJSON         bool
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("viewers", flag.ContinueOnError)
	o.least = 1000
	f.IntVar(&o.pairs, "pairs", 5, "pairs of loads; medians are printed")
	f.IntVar(&o.viewers, "viewers", 100, "how many pages are looked at")
	f.StringVar(&o.scene, "scene", "", "relay or inbox; without it both")
	f.DurationVar(&o.each, "each", 3*time.Second, "about how long a load takes")
	f.StringVar(&o.dir, "dir", "/var/tmp/posthouse-bench", "a directory on the disk to measure")
	f.StringVar(&o.profile, "profile", "", "a file for a profile of the last house (go tool pprof reads it)")
	f.BoolVar(&o.asJSON, "json", false, "print JSON: every load, and the medians")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected %q", f.Arg(0))
	case o.pairs < 1 || o.viewers < 1 || o.each <= 0:
		err = errors.New("-pairs, -viewers and -each must be above zero")
	}
	return o, err
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	picked, err := pick(o.scene)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp(o.dir, "viewers-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	program, err := build(ctx, o.dir)
	if err != nil {
		return err
	}
	for _, s := range picked {
		r, err := measure(ctx, program, s, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if o.asJSON {
			err = json.NewEncoder(os.Stdout).Encode(r)
		} else {
			err = r.print(os.Stdout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scene is a house, the pages that are looked at, and the mail that comes.
type scene struct {
	Name    string   `json:"scene"`
	Relays  bool     `json:"relays"` // a load ends when the sink has all of it
	Pages   []string `json:"pages"`
	load    load.Load
	command func(at place) []string
}

func scenes() []scene {
	return []scene{
		{
			Name: "relay", Relays: true, Pages: []string{"/overview", "/queue", "/queue/messages", "/sessions"},
			load: load.Load{Sessions: 20, Size: 4 << 10},
			command: func(at place) []string {
				return []string{"run", "--config", at.config, "--data", at.dir + "/data", "--log", "none"}
			},
		},
		{
			Name: "inbox", Pages: []string{"/inbox", "/inbox?in=inbox", "/inbox?q=bench", "/overview"},
			load: load.Load{Sessions: 20, Size: 4 << 10},
			command: func(at place) []string {
				return []string{"run", "--data", at.dir + "/data", "--smtp", at.smtp(), "--http", at.console(), "--log", "none"}
			},
		},
	}
}

func pick(name string) ([]scene, error) {
	all := scenes()
	for i := range all {
		if all[i].Name == name {
			return all[i : i+1], nil
		}
	}
	if name != "" {
		return nil, fmt.Errorf("no scene %q: there are relay and inbox", name)
	}
	return all, nil
}
