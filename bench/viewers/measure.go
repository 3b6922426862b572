//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// side is what one load has shown.
type side struct {
	Rate     float64 `json:"messages_per_second"`
	Cost     float64 `json:"cpu_us_per_message"` // of the house
	Pictures float64 `json:"pictures_per_viewer_per_second,omitempty"`
	Volume   float64 `json:"megabytes_per_second,omitempty"` // to all viewers
}

// pair is a load without viewers and one with them.
type pair struct {
	Alone   side `json:"alone"`
	Watched side `json:"watched"`
}

// result is what was measured in a scene.
type result struct {
	scene
	Viewers  int     `json:"viewers"`
	Messages int     `json:"messages"` // of each load
	Pairs    []pair  `json:"pairs"`
	Rate     float64 `json:"of_the_rate"` // medians over the pairs of watched / alone
	Cost     float64 `json:"of_the_cost"`
}

// measure opens a house, warms it up and measures pairs.
func measure(ctx context.Context, program string, s scene, o options) (r result, err error) {
	h, err := open(ctx, program, s, o)
	if err != nil {
		return r, err
	}
	defer h.end()
	r = result{scene: s, Viewers: o.viewers}
	s.load.Messages = o.least
	for range 2 { // the second is faster
		alone, err := h.side(ctx, s.load, 0)
		if err != nil {
			return r, err
		}
		s.load.Messages = max(o.least, int(alone.Rate*o.each.Seconds()))
	}
	r.Messages = s.load.Messages
	for i := range o.pairs {
		fmt.Fprintf(os.Stderr, "%s: pair %d of %d\n", s.Name, i+1, o.pairs)
		p, err := h.pair(ctx, s.load, o.viewers, i%2 == 1)
		if err != nil {
			return r, err
		}
		r.Pairs = append(r.Pairs, p)
	}
	r.Rate = r.median(func(p pair) float64 { return p.Watched.Rate / p.Alone.Rate })
	r.Cost = r.median(func(p pair) float64 { return p.Watched.Cost / p.Alone.Cost })
	return r, nil
}

func (h *house) pair(ctx context.Context, l load.Load, viewers int, watchedFirst bool) (p pair, err error) {
	if watchedFirst {
		if p.Watched, err = h.side(ctx, l, viewers); err == nil {
			p.Alone, err = h.side(ctx, l, 0)
		}
		return p, err
	}
	if p.Alone, err = h.side(ctx, l, 0); err == nil {
		p.Watched, err = h.side(ctx, l, viewers)
	}
	return p, err
}

// side carries out a load while so many look.
func (h *house) side(ctx context.Context, l load.Load, n int) (s side, err error) {
	v := new(viewers)
	if n > 0 {
		if v, err = h.watch(ctx, n); err != nil {
			return s, err
		}
		defer v.leave()
	}
	syscall.Sync() // what was written before is not written at our expense
	pictures, octets, begun := v.pictures.Load(), v.octets.Load(), time.Now()
	before, err := h.Used()
	if err != nil {
		return s, err
	}
	if err = h.send(ctx, l); err != nil {
		return s, err
	}
	after, err := h.Used()
	if err != nil {
		return s, err
	}
	took := time.Since(begun).Seconds()
	s.Rate = float64(l.Messages) / took
	s.Cost = float64((after - before).Microseconds()) / float64(l.Messages)
	if n > 0 {
		s.Pictures = float64(v.pictures.Load()-pictures) / float64(n) / took
		s.Volume = float64(v.octets.Load()-octets) / 1e6 / took
	}
	return s, nil
}

// send returns when the last message has come to its end.
func (h *house) send(ctx context.Context, l load.Load) error {
	taken := int64(0)
	if h.sink != nil {
		taken = h.sink.Taken()
	}
	if _, err := load.Find().Send(ctx, l, h.smtp()); err != nil || h.sink == nil {
		return err
	}
	return h.sink.Wait(ctx, taken+int64(l.Messages))
}

// median is that of a figure over the pairs.
func (r *result) median(of func(pair) float64) float64 {
	var all []float64
	for _, p := range r.Pairs {
		all = append(all, of(p))
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// print prints a table, and the two figures that count.
func (r *result) print(out io.Writer) error {
	text := fmt.Sprintf("%s: %d viewers of %v, %d messages a load\n", r.Name, r.Viewers, r.Pages, r.Messages)
	text += "  messages/s alone  watched  ratio   CPU µs/message alone  watched  ratio   pictures/s a viewer  MB/s to all\n"
	for _, p := range r.Pairs {
		a, w := p.Alone, p.Watched
		text += fmt.Sprintf("  %16.0f %8.0f %6.2f   %20.0f %8.0f %6.2f   %19.1f %12.1f\n",
			a.Rate, w.Rate, w.Rate/a.Rate, a.Cost, w.Cost, w.Cost/a.Cost, w.Pictures, w.Volume)
	}
	text += fmt.Sprintf("  medians: %.2f of the rate (goal: at least 0.90), %.2f of the CPU time a message\n", r.Rate, r.Cost)
	_, err := io.WriteString(out, text)
	return err
}
