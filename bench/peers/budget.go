//go:build linux

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/budget"
	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

// profiled is the file that is added to the program.
//
//go:embed profiled.go.txt
var profiled string

// withProfile is posthouse with that file in it.
type withProfile struct {
	posthouse
	profile string // path of what it writes
}

func (p withProfile) order(at place) (warden.Order, error) {
	o, err := p.posthouse.order(at)
	o.Env = append(o.Env, "POSTHOUSE_BENCH_PROFILE="+p.profile)
	return o, err
}

// buildWithProfile builds it. What the compiler sees as a file of cmd/posthouse
// lies in dir; the source is not touched.
func buildWithProfile(ctx context.Context, dir string) (withProfile, error) {
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/posthouse/posthouse")
	if err != nil {
		return withProfile{}, fmt.Errorf("run this in the folder bench: %w", err)
	}
	source, overlay := filepath.Join(dir, "profiled.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(root, "cmd/posthouse/profiled_for_bench.go"): source},
	})
	if err := errors.Join(err, os.WriteFile(source, []byte(profiled), 0o644), os.WriteFile(overlay, replace, 0o644)); err != nil {
		return withProfile{}, err
	}
	p, err := buildPosthouse(ctx, dir, "-overlay", overlay)
	return withProfile{p, filepath.Join(dir, "cpu.profile")}, err
}

// spending is where the CPU time of posthouse went in one workload.
type spending struct {
	Work     string        `json:"workload"`
	Machine  facts         `json:"machine"`
	Messages int           `json:"messages"`
	Figures  figures       `json:"figures"`
	Memory   allocations   `json:"memory"`
	Parts    []budget.Part `json:"parts"` // in nanoseconds of the profile

	sum int64
}

// allocations is what profiled.go.txt counts.
type allocations struct {
	Count       int64 `json:"allocations"`
	Octets      int64 `json:"octets"`
	Collections int64 `json:"collections"`
}

// printBudget measures the first of the chosen workloads once, under a profile.
func printBudget(ctx context.Context, scratch string, works []workload, o options) error {
	p, err := buildWithProfile(ctx, scratch)
	if err != nil {
		return err
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
		if o.keep != "" {
			if err := os.Rename(p.profile, o.keep); err != nil {
				return err
			}
		}
	}
	return nil
}

// spend loads the server as a round does, with the profile on from the first
// message that counts to the last.
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
	if err := r.Signal(syscall.SIGUSR1); err != nil {
		return s, err
	}
	var done func() error
	if w.mode != hold {
		done = func() error { return r.delivered(ctx, arrived+l.Messages) }
	}
	s = spending{Work: w.name, Messages: l.Messages}
	s.Figures, err = r.metered(l, func(l load.Load) (load.Sent, error) { return r.send(ctx, l) }, done)
	if err != nil {
		return s, err
	}
	if err := r.Signal(syscall.SIGUSR1); err != nil {
		return s, err
	}
	return s, s.read(ctx, p.profile)
}

// read takes in what the server writes at the end of its profile.
func (s *spending) read(ctx context.Context, path string) error {
	f, err := appears(ctx, path)
	if err != nil {
		return err
	}
	defer f.Close()
	samples, err := budget.Read(f)
	if err != nil {
		return err
	}
	s.Parts, s.sum = budget.Divide(samples, budget.Posthouse())
	text, err := os.ReadFile(path + ".memory")
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &s.Memory)
}

// appears opens a file as soon as there is one.
func appears(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
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
	table := strings.Split(aligned(rows), "\n")
	for i, p := range s.Parts {
		table[i+1] += "  " + most3(p, micros)
	}
	_, err := fmt.Fprintf(out, "%s\n%s: %s messages, %s/s; %.1f s of CPU time in the profile\n%s  a message: %.1f allocations, %s octets; one garbage collection every %s messages\n",
		s.Machine, s.Work, number(n, 0), number(s.Figures[rate], 0), float64(s.sum)/1e9,
		strings.Join(table, "\n"),
		float64(s.Memory.Count)/n, number(float64(s.Memory.Octets)/n, 0), number(n/float64(max(1, s.Memory.Collections)), 0))
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
