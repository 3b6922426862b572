package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	drawEvery = 100 * time.Millisecond
	barWidth  = 24
)

// Progress is a bar on a terminal that says how far something has come. A nil
// Progress shows nothing, so that it can be used without asking whether there
// is a terminal. It may be used by several goroutines.
type Progress struct {
	out    io.Writer
	label  string
	total  int64
	format func(int64) string

	mu    sync.Mutex
	done  int64
	begun time.Time
	drawn time.Time
}

// NewProgress returns a bar for a total, on out if that is a terminal, and nil
// otherwise. The format prints an amount, such as [Octets] does.
func NewProgress(out io.Writer, label string, total int64, format func(int64) string) *Progress {
	if !IsTerminal(out) {
		return nil
	}
	return &Progress{out: out, label: label, total: total, format: format, begun: time.Now()}
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Add says that n more are done, and draws the bar if it was not drawn lately.
func (p *Progress) Add(n int64) {
	if p == nil {
		return
	}
	now := time.Now()
	p.mu.Lock()
	p.done += n
	if now.Sub(p.drawn) < drawEvery {
		p.mu.Unlock()
		return
	}
	p.drawn = now
	forms := p.forms(now)
	p.mu.Unlock()
	fmt.Fprint(p.out, "\r"+widest(forms, Width(p.out))+"\x1b[K")
}

// Done takes the bar away.
func (p *Progress) Done() {
	if p != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// forms are the bar, without what puts it in its place, from the widest to the
// narrowest.
func (p *Progress) forms(now time.Time) []string {
	part := 1.0
	if p.total > 0 {
		part = min(1, float64(p.done)/float64(p.total))
	}
	full := int(part * barWidth)
	bar := strings.Repeat("#", full) + strings.Repeat("-", barWidth-full)
	rate := float64(p.done) / max(now.Sub(p.begun).Seconds(), 0.001)
	percent := fmt.Sprintf("%3.0f%%", 100*part)
	amounts := fmt.Sprintf("%s of %s, %s/s", p.format(p.done), p.format(p.total), p.format(int64(rate)))
	return []string{
		p.label + " [" + bar + "] " + percent + " " + amounts,
		p.label + " " + percent + " " + amounts,
		p.label + " " + percent,
		percent,
	}
}

// widest returns the first form that fits, and the last one if none does. A line
// as wide as the terminal would begin the next one.
func widest(forms []string, width int) string {
	for _, f := range forms {
		if len(f) < width {
			return f
		}
	}
	return forms[len(forms)-1]
}

// usualWidth is that of a terminal that does not tell its own.
const usualWidth = 80

// Width returns how many characters a line of the terminal has.
func Width(out io.Writer) int {
	if f, ok := out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return usualWidth
}

// Octets prints an amount of octets for people: "640 B", "1.5 MB".
func Octets(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len("kMGTPE")-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[unit])
}
