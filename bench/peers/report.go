//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// base is the peer that the others are compared with; second is another one, with
// which they are compared where it was measured.
const (
	base   = "postfix"
	second = "yardstick"
)

// report is all that a run has shown.
type report struct {
	When    time.Time  `json:"when"`
	Machine facts      `json:"machine"`
	Peers   []peerName `json:"peers"`
	Tools   string     `json:"load"`
	Rounds  []round    `json:"rounds"`
	Medians []summary  `json:"medians"`
}

type peerName struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// summary is the medians of a peer in a workload, and how the first figure of
// the table compares with Postfix's and the yardstick's.
type summary struct {
	Work  string  `json:"workload"`
	Peer  string  `json:"peer"`
	Of    int     `json:"rounds"`
	Each  figures `json:"figures"`
	Times float64 `json:"times_postfix,omitempty"`
	Share float64 `json:"times_yardstick,omitempty"`
}

func (r report) head(out io.Writer) {
	fmt.Fprintln(out, r.Machine)
	fmt.Fprintf(out, "mail from and to: %s\n", r.Tools)
	for _, p := range r.Peers {
		fmt.Fprintf(out, "  %-10s %s\n", p.Name, p.Version)
	}
}

// medians fills r.Medians.
func (r *report) medians(works []workload) {
	for _, w := range works {
		for _, p := range r.Peers {
			each, n := r.median(w.name, p.Name)
			if n == 0 {
				continue
			}
			s := summary{Work: w.name, Peer: p.Name, Of: n, Each: each}
			s.Times = r.times(w.name, p.Name, base, w.columns[0].figure)
			s.Share = r.times(w.name, p.Name, second, w.columns[0].figure)
			r.Medians = append(r.Medians, s)
		}
	}
}

// of returns a figure in each round of a peer, in order of size.
func (r report) of(work, peer, figure string) []float64 {
	var values []float64
	for _, one := range r.Rounds {
		if v, ok := one.Figures[figure]; ok && one.Work == work && one.Peer == peer {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

// median returns the median of each figure of a peer, and of how many rounds.
func (r report) median(work, peer string) (figures, int) {
	f, n := figures{}, 0
	for _, one := range r.Rounds {
		if one.Work != work || one.Peer != peer || one.Error != "" {
			continue
		}
		n++
		for name := range one.Figures {
			f[name] = middle(r.of(work, peer, name))
		}
	}
	return f, n
}

// middle is the median of values in order of size, of which there must be one.
func middle(values []float64) float64 {
	n := len(values)
	if n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[n/2]
}

// times is the median of a figure divided by another peer's; 0 if one of them is missing.
func (r report) times(work, peer, other, figure string) float64 {
	ours, theirs := r.of(work, peer, figure), r.of(work, other, figure)
	if len(ours) == 0 || len(theirs) == 0 || middle(theirs) == 0 {
		return 0
	}
	return middle(ours) / middle(theirs)
}

// table prints what a workload has shown, and whether posthouse reaches its goals.
func (r report) table(out io.Writer, w workload) {
	fmt.Fprintf(out, "\n%s: %s\n", w.name, w.about)
	head := []string{""}
	for i, c := range w.columns {
		head = append(head, c.title)
		if i == 0 {
			head = append(head, "[min..max]")
		}
		if c.times {
			for _, other := range r.bases(w) {
				head = append(head, "× "+other)
			}
		}
	}
	rows := [][]string{head}
	for _, p := range r.Peers {
		if row := r.row(w, p.Name); row != nil {
			rows = append(rows, row)
		}
	}
	fmt.Fprint(out, aligned(rows))
	for _, g := range w.goals {
		fmt.Fprintf(out, "  goal: %s\n", r.verdict(w, g))
	}
}

// row is a peer's line, or nil if it was not measured in that workload.
func (r report) row(w workload, peer string) []string {
	if !r.measured(w, peer) {
		return nil
	}
	if len(r.of(w.name, peer, w.columns[0].figure)) == 0 {
		return []string{peer, "failed"}
	}
	row := []string{peer}
	for i, c := range w.columns {
		row = append(row, r.cells(w, peer, c, i == 0)...)
	}
	return row
}

// cells are the median of a figure, and its least and most or its ratios to
// the figure of others where they are shown.
func (r report) cells(w workload, peer string, c column, spread bool) []string {
	values := r.of(w.name, peer, c.figure)
	cells := []string{"-"}
	if len(values) > 0 {
		cells[0] = number(middle(values), c.digits)
	}
	if spread {
		cells = append(cells, "["+number(values[0], c.digits)+".."+number(values[len(values)-1], c.digits)+"]")
	}
	if !c.times {
		return cells
	}
	for _, other := range r.bases(w) {
		ratio := ""
		if times := r.times(w.name, peer, other, c.figure); times > 0 {
			ratio = number(times, 2)
		}
		cells = append(cells, ratio)
	}
	return cells
}

// bases are the peers with which the others are compared in a workload.
func (r report) bases(w workload) []string {
	if r.measured(w, second) {
		return []string{base, second}
	}
	return []string{base}
}

func (r report) measured(w workload, peer string) bool {
	return slices.ContainsFunc(r.Rounds, func(o round) bool { return o.Work == w.name && o.Peer == peer })
}

// verdict says what posthouse should reach and what it did.
func (r report) verdict(w workload, g goal) string {
	title := g.figure
	for _, c := range w.columns {
		if c.figure == g.figure {
			title = c.title
		}
	}
	want, got, known := "at least "+number(g.least, digits(g.least)), 0.0, false
	if g.least == 0 {
		want = "at most " + number(g.most, 0)
	}
	who := "posthouse"
	if g.of != "" {
		who = g.of
		title += " of " + who
	}
	if values := r.of(w.name, who, g.figure); len(values) > 0 {
		got, known = middle(values), true
	}
	if g.times {
		title += " × " + base
		got = r.times(w.name, who, base, g.figure)
		known = got > 0
	}
	switch {
	case !known:
		return fmt.Sprintf("%s %s (not measured)", title, want)
	case got >= g.least && (g.most == 0 || got <= g.most):
		return fmt.Sprintf("%s %s: %s, reached", title, want, number(got, 2))
	}
	return fmt.Sprintf("%s %s: %s, NOT REACHED", title, want, number(got, 2))
}

// digits are how many behind the point a goal has.
func digits(v float64) int {
	if v == math.Trunc(v) {
		return 0
	}
	return 2
}

// number prints v with commas between thousands.
func number(v float64, digits int) string {
	text := fmt.Sprintf("%.*f", digits, v)
	whole, fraction, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
