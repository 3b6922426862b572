package top

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

var update = flag.Bool("update", false, "write the golden files anew")

// busy is a house with something to see.
func busy() seen {
	now := time.Date(2026, 3, 2, 12, 0, 30, 0, time.Local)
	s := seen{Hostname: "mx.example.org", Overview: admin.Overview{
		Now: now, Started: now.Add(-50 * time.Hour),
		Totals:   admin.Rates{Accepted: 1234567, Refused: 4321, Delivered: 1200000, Deferred: 30000, Bounced: 1500},
		Latency:  admin.Latency{Count: 100, P50: 120, P90: 900, P99: 95000},
		Sessions: admin.SessionCount{In: 20, Out: 1},
		Window:   admin.Window{InFlight: 12},
		Spool:    admin.Spooled{Fresh: 3, Deferred: 1200, Held: 31, Bytes: 12_000_000, FactBytes: 800_000_000, Free: 50_000_000_000},
		Destinations: []admin.DestinationRates{
			{Name: "sina.example", Delivered: 1000},
			{Name: "down.example", Deferred: 200, Bounced: 1},
			{Name: strings.Repeat("long", 20) + ".example", Delivered: 1},
			{Name: "fourth.example", Delivered: 1},
		},
	}}
	for i := range minutes {
		m := admin.Minute{At: now.Add(time.Duration(i-minutes) * time.Minute)}
		m.Accepted, m.Delivered = int64(i*i), int64(i%7)
		s.Overview.Minutes = append(s.Overview.Minutes, m)
	}
	for i := range 20 {
		s.Sessions.Live = append(s.Sessions.Live, admin.Session{
			ID: uint64(i + 1), Direction: "in", Name: "mx", Peer: "192.0.2.7:4711", State: "envelope", Started: now.Add(-time.Duration(i) * time.Second), Last: "RCPT TO:<bob@sina.example>", LastFrom: "C",
		})
	}
	s.Sessions.Live = append(s.Sessions.Live, admin.Session{ID: 99, Direction: "out", Name: "mx.sina.example", State: "text", Started: now, Last: "354 \x1b[2Jgo on"})
	s.Sessions.Failed = make([]admin.Session, 2)
	return s
}

// after plays messages to a model.
func after(m tea.Model, msgs ...tea.Msg) tea.Model {
	for _, msg := range msgs {
		m, _ = m.Update(msg)
	}
	return m
}

func keys(names ...tea.KeyType) (msgs []tea.Msg) {
	for _, k := range names {
		msgs = append(msgs, tea.KeyMsg{Type: k})
	}
	return msgs
}

// TestPages: what is seen on terminals of several sizes is as in testdata.
func TestPages(t *testing.T) {
	start := model{every: time.Second, look: func() (seen, error) { return busy(), nil }}
	for name, m := range map[string]tea.Model{
		"80x24":    after(start, tea.WindowSizeMsg{Width: 80, Height: 24}, news{seen: busy()}),
		"60x20":    after(start, tea.WindowSizeMsg{Width: 60, Height: 20}, news{seen: busy()}),
		"120x40":   after(start, tea.WindowSizeMsg{Width: 120, Height: 40}, news{seen: busy()}),
		"scrolled": after(start, append([]tea.Msg{tea.WindowSizeMsg{Width: 80, Height: 24}, news{seen: busy()}}, keys(tea.KeyDown, tea.KeyPgDown, tea.KeyPgDown, tea.KeyUp)...)...),
		"empty":    after(start, tea.WindowSizeMsg{Width: 80, Height: 24}, news{seen: seen{Hostname: "mx.example.org", Overview: admin.Overview{Now: busy().Overview.Now}}}),
		"away":     after(start, tea.WindowSizeMsg{Width: 80, Height: 24}, news{seen: busy()}, news{err: errors.New("no posthouse answers")}),
		"resized":  after(start, tea.WindowSizeMsg{Width: 120, Height: 40}, news{seen: busy()}, tea.WindowSizeMsg{Width: 30, Height: 8}),
	} {
		got := m.View()
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// TestNoLineIsTooWide, and there are not too many, whatever the size.
func TestNoLineIsTooWide(t *testing.T) {
	m := model{seen: busy()}
	for width := range 130 {
		for _, height := range []int{0, 1, 5, 24, 100} {
			m.width, m.height = width+1, height
			lines := strings.Split(strings.TrimSuffix(m.page(), "\n"), "\n")
			if height > 0 && len(lines) > height {
				t.Fatalf("%d lines on %d", len(lines), height)
			}
			for _, line := range lines {
				if cli.Cells(line) > width+1 || strings.Contains(line, "\x1b") {
					t.Fatalf("on %dx%d: %q", width+1, height, line)
				}
			}
		}
	}
}

// TestKeys: q ends, and a look is followed by the next.
func TestKeys(t *testing.T) {
	looked := 0
	m := tea.Model(model{every: time.Nanosecond, look: func() (seen, error) { looked++; return busy(), nil }})
	_, cmd := m.Update(again{})
	brought := cmd()
	if _, is := brought.(news); !is || looked != 1 {
		t.Fatalf("a look has brought %T", brought)
	}
	m, cmd = m.Update(brought)
	if _, is := cmd().(again); !is {
		t.Error("it does not look again")
	}
	for _, k := range []tea.KeyMsg{{Type: tea.KeyRunes, Runes: []rune("q")}, {Type: tea.KeyCtrlC}, {Type: tea.KeyEsc}} {
		if _, cmd := m.Update(k); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%v does not end it", k)
		}
	}
}
