package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

// minutes is how many are looked at.
const minutes = 60

// page is all that is shown, no wider and no longer than the terminal.
func (m *model) page() string {
	o := &m.seen.Overview
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	lines = append(lines, m.head())
	add("")
	add("%s", m.columns("", kinds...))
	add("%s", m.rates("Last minute", lastWhole(o.Minutes)))
	add("%s", m.rates("Last hour", sumOf(o.Minutes)))
	add("%s", m.rates("Since start", &o.Totals))
	add("")
	s := &o.Spool
	add("Queue     %s: %s fresh, %s deferred, %s held; %s at work", cli.Count(s.Fresh+s.Deferred+s.Held, "recipient"),
		cli.Number(s.Fresh), cli.Number(s.Deferred), cli.Number(s.Held), cli.Number(o.Window.InFlight))
	add("Delivery  half within %s, 90%% within %s, 99%% within %s", short(o.Latency.P50), short(o.Latency.P90), short(o.Latency.P99))
	lines = append(lines, disk(s))
	add("")
	add("In        %s", bars(o.Minutes, m.width-12, func(m *admin.Minute) int64 { return m.Accepted }))
	add("Out       %s", bars(o.Minutes, m.width-12, func(m *admin.Minute) int64 { return m.Delivered }))
	add("")
	lines = append(lines, m.destinations()...)
	lines = append(lines, m.sessions(m.height-len(lines)-1)...)
	lines = append(lines, m.foot())
	for i := range lines {
		lines[i] = cli.Clip(cli.Printable(lines[i]), m.width)
	}
	if len(lines) > m.height {
		lines = lines[:max(m.height, 0)]
	}
	return strings.Join(lines, "\n") + "\n"
}

func (m *model) head() string {
	name := "posthouse " + m.seen.Hostname
	o := &m.seen.Overview
	right := o.Now.Local().Format(time.TimeOnly)
	if !o.Started.IsZero() {
		right = "up " + admin.Short(o.Now.Sub(o.Started)) + "  " + right
	}
	return name + cli.Right(right, max(m.width-cli.Cells(name), cli.Cells(right)+2))
}

// kinds are what is counted, a column each.
var kinds = []string{"accepted", "refused", "delivered", "deferred", "bounced"}

// roomy is how wide a terminal is on which columns need not be as narrow as their heads.
const roomy = 72

// cell puts a word into the column of a kind.
func (m *model) cell(kind, word string) string {
	if m.width < roomy {
		return cli.Right(word, len(kind)+1)
	}
	return cli.Right(word, 12)
}

// columns are words below the kinds.
func (m *model) columns(head string, words ...string) string {
	line := cli.Left(head, 12)
	for i, w := range words {
		line += m.cell(kinds[i], w)
	}
	return line
}

func (m *model) rates(head string, r *admin.Rates) string {
	return m.columns(head, cli.Number(r.Accepted), cli.Number(r.Refused), cli.Number(r.Delivered), cli.Number(r.Deferred), cli.Number(r.Bounced))
}

// lastWhole is the last minute that is over.
func lastWhole(all []admin.Minute) *admin.Rates {
	if len(all) < 2 {
		return new(admin.Rates)
	}
	return &all[len(all)-2].Rates
}

func sumOf(all []admin.Minute) *admin.Rates {
	var sum admin.Rates
	for i := range all {
		r := &all[i].Rates
		sum.Accepted += r.Accepted
		sum.Refused += r.Refused
		sum.Delivered += r.Delivered
		sum.Deferred += r.Deferred
		sum.Bounced += r.Bounced
	}
	return &sum
}

func short(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case ms == 0:
		return "0s"
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return admin.Short(d)
}

func disk(s *admin.Spooled) string {
	line := "Disk      " + cli.Octets(s.Bytes) + " of mail, " + cli.Octets(s.FactBytes) + " of journal"
	if s.Free >= 0 {
		line += ", " + cli.Octets(s.Free) + " free"
	}
	if s.Refusing {
		line += ": nearly full, new mail is told 452"
	}
	return line
}

// bars are a column for each minute, as high as its number in eighths of the highest.
func bars(all []admin.Minute, width int, of func(*admin.Minute) int64) string {
	const marks = " ▁▂▃▄▅▆▇█"
	all = all[len(all)-min(len(all), max(width-10, 0)):]
	highest := int64(0)
	for i := range all {
		highest = max(highest, of(&all[i]))
	}
	var b strings.Builder
	for i := range all {
		level := int64(0)
		if n := of(&all[i]); n > 0 {
			level = max(1, n*8/highest)
		}
		b.WriteRune([]rune(marks)[level])
	}
	return b.String() + "  " + cli.Number(highest) + "/min"
}

// shownDestinations is how many are shown.
const shownDestinations = 3

func (m *model) destinations() []string {
	all := m.seen.Overview.Destinations
	if len(all) == 0 {
		return nil
	}
	lines := []string{m.destination("Destinations of the last hours", "delivered", "deferred", "bounced")}
	for _, d := range all[:min(len(all), shownDestinations)] {
		lines = append(lines, m.destination("  "+d.Name, cli.Number(d.Delivered), cli.Number(d.Deferred), cli.Number(d.Bounced)))
	}
	return append(lines, "")
}

func (m *model) destination(name, delivered, deferred, bounced string) string {
	counts := m.cell("delivered", delivered) + m.cell("deferred", deferred) + m.cell("bounced", bounced)
	wide := min(36, max(m.width-cli.Cells(counts), 12))
	return cli.Left(cli.Clip(name, wide), wide) + counts
}

// sessions are as many as there is room for.
func (m *model) sessions(room int) []string {
	live := m.seen.Sessions.Live
	count := m.seen.Overview.Sessions
	lines := []string{fmt.Sprintf("Sessions  %s in, %s out, %s failed and kept", cli.Number(count.In), cli.Number(count.Out), cli.Number(len(m.seen.Sessions.Failed)))}
	for i := m.first; i < len(live) && len(lines) < room; i++ {
		lines = append(lines, sessionLine(&live[i], m.seen.Overview.Now))
	}
	return lines
}

func sessionLine(s *admin.Session, now time.Time) string {
	peer := s.Name
	if s.Direction == "in" && s.Peer != "" {
		peer = s.Peer
	}
	return fmt.Sprintf("%7d %s %s %s %s  %s", s.ID, cli.Left(s.Direction, 3), cli.Left(s.State, 8), cli.Right(admin.Short(now.Sub(s.Started)), 6),
		cli.Left(cli.Clip(peer, 24), 24), s.Last)
}

// foot tells the keys, or what is wrong.
func (m *model) foot() string {
	switch behind := time.Duration(m.seen.Overview.Behind) * time.Millisecond; {
	case m.err != nil:
		return "No news since then: " + m.err.Error()
	case behind > 5*time.Second:
		return "q ends, arrows scroll. The search is " + admin.Short(behind) + " behind."
	}
	return "q ends, arrows scroll"
}
