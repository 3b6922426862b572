//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/posthouse/posthouse/bench/internal/budget"
	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

// withProfile is posthouse that writes a profile from its start to its end.
type withProfile struct {
	posthouse
	profile string // path of what it writes
}

func (p withProfile) order(at place) (warden.Order, error) {
	o, err := p.posthouse.order(at)
	o.Command = append(o.Command, "--profile", p.profile)
	return o, err
}

// spending is where the CPU time of posthouse went in one workload.
type spending struct {
	Work     string        `json:"workload"`
	Machine  facts         `json:"machine"`
	Messages int           `json:"messages"`
	Figures  figures       `json:"figures"`
	Parts    []budget.Part `json:"parts"` // in nanoseconds of the profile

	sum int64
}

// printBudget measures posthouse alone, once in each workload.
func printBudget(ctx context.Context, scratch string, works []workload, o options) error {
	ours, err := buildPosthouse(ctx, scratch, o.configs)
	if err != nil {
		return err
	}
	p := withProfile{ours, filepath.Join(scratch, "profile")}
	if o.keep != "" {
		p.profile = o.keep
	}
	b := bench{tools: load.Find(), dir: scratch, each: o.each, limit: o.limit}
	for _, w := range works {
		if w.mode == deferred || w.load.Messages == 0 {
			return fmt.Errorf("no budget of the workload %s", w.name)
		}
		s, err := b.spend(ctx, p, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		s.Machine = machine(o.dir)
		if o.asJSON {
			err = json.NewEncoder(os.Stdout).Encode(s)
		} else {
			err = s.print(os.Stdout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spend loads the server as a round does. The profile has its start and its
// warming up as well, which is little beside the rest.
func (b bench) spend(ctx context.Context, p withProfile, w workload) (s spending, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	r, err := b.start(ctx, p, w.mode, w.load.Sessions)
	if err != nil {
		return s, err
	}
	defer r.end()
	l, arrived, err := r.warmUpAs(ctx, w, b.each)
	if err != nil {
		return s, err
	}
	syscall.Sync()
	var done func() error
	if w.mode != hold && w.mode != secure {
		done = func() error { return r.delivered(ctx, arrived+l.Messages) }
	}
	s = spending{Work: w.name, Messages: l.Messages}
	s.Figures, err = r.metered(l, func(l load.Load) (load.Sent, error) { return r.send(ctx, l) }, done)
	if err != nil {
		return s, err
	}
	r.Stop() // it writes the profile at its end
	f, err := os.Open(p.profile)
	if err != nil {
		return s, err
	}
	defer f.Close()
	samples, err := budget.Read(f)
	if err != nil {
		return s, err
	}
	s.Parts, s.sum = budget.Divide(samples, budget.Posthouse())
	return s, nil
}

// print prints the table. The shares are the profile's, the µs those of /proc.
func (s spending) print(out io.Writer) error {
	if s.sum == 0 {
		return errors.New("the profile is empty: measure for longer (-each)")
	}
	n := float64(s.Messages)
	micros := func(spent int64) string {
		return number(s.Figures[cost]*float64(spent)/float64(s.sum), 1)
	}
	rows := [][]string{{"", "µs/message", "share"}}
	for _, p := range s.Parts {
		rows = append(rows, []string{p.Name, micros(p.Spent), number(100*float64(p.Spent)/float64(s.sum), 1) + " %"})
	}
	rows = append(rows, []string{"in all", number(s.Figures[cost], 1), ""})
	table := strings.Split(strings.TrimSuffix(aligned(rows), "\n"), "\n")
	for i, p := range s.Parts {
		table[i+1] += "  " + most3(p, micros)
	}
	_, err := fmt.Fprintf(out, "%s\n%s: %s messages, %s/s; %.1f s of CPU time in the profile\n%s\n",
		s.Machine, s.Work, number(n, 0), number(s.Figures[rate], 0), float64(s.sum)/1e9, strings.Join(table, "\n"))
	return err
}

// most3 names the functions in which the most of a part was spent.
func most3(p budget.Part, micros func(int64) string) string {
	var names []string
	for _, f := range p.Functions[:min(3, len(p.Functions))] {
		name := f.Name[strings.LastIndexByte(f.Name, '/')+1:]
		names = append(names, name+" "+micros(f.Spent))
	}
	return strings.Join(names, ", ")
}
