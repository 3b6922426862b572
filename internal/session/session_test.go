package session

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestStates plays what is said in testdata/states.txt.
func TestStates(t *testing.T) {
	text, err := os.ReadFile("testdata/states.txt")
	if err != nil {
		t.Fatal(err)
	}
	stories := strings.Split(string(text), "\n\n")[1:]
	if len(stories) < 10 {
		t.Fatalf("%d stories", len(stories))
	}
	for _, story := range stories {
		name, lines, _ := strings.Cut(strings.TrimSpace(story), "\n")
		t.Run(name, func(t *testing.T) { play(t, lines) })
	}
}

func play(t *testing.T, lines string) {
	r := New(Options{})
	s := r.begin(View{ID: r.NextID(), Direction: In}, nil)
	at := time.Now()
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if end, is := strings.CutPrefix(line, "end: "); is {
			ends(t, r, s, end)
			return
		}
		i := strings.LastIndex(line, " ")
		said, state := strings.TrimSpace(line[:i]), line[i+1:]
		switch who, what, _ := strings.Cut(said, ": "); who {
		case "C":
			s.command(at, []byte(what))
		case "S":
			s.reply(at, []byte(what))
		case "T":
			n, err := strconv.Atoi(what)
			if err != nil {
				t.Fatal(err)
			}
			s.texted(at, n)
		case "TLS":
			s.secured(at, tls.ConnectionState{Version: tls.VersionTLS13})
		}
		if got := s.stand().State.String(); got != state {
			t.Fatalf("after %q the state is %q, not %q", said, got, state)
		}
	}
	t.Fatal("the story has no end")
}

// ends holds the end of a session against a line of what it is to be.
func ends(t *testing.T, r *Registry, s *session, line string) {
	var err error
	var want View
	for i, part := range strings.Split(line, ", ") {
		var messages int
		switch n, _ := fmt.Sscanf(part, "%d message", &messages); {
		case part == "nothing":
		case n == 1 && strings.HasSuffix(part, "message"):
			want.Messages = messages
		case i == 0 && part == "EOF":
			err = io.EOF
		case i == 0 && strings.Contains(line, ", "):
			err = errors.New(part)
		default:
			want.Failure = part
		}
	}
	r.end(s, time.Now(), err)
	got := s.stand()
	if got.Messages != want.Messages || got.Failure != want.Failure || got.State != Ended {
		t.Errorf("%d messages, %q; want %d, %q", got.Messages, got.Failure, want.Messages, want.Failure)
	}
	if kept := len(r.Ended()) == 1; kept != (want.Failure != "") {
		t.Errorf("that it is kept as failed is %v", kept)
	}
}

// TestRing: however much is said, what is kept is the newest, in order, and says how
// much is missing.
func TestRing(t *testing.T) {
	var r ring
	r.grow(make([]byte, 0, 1000))
	at := time.Unix(1, 0)
	for i := range 10_000 {
		line := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i%300))
		if !r.add(at, byte(Client), line) {
			t.Fatal("there is no room")
		}
		if i%7 != 0 {
			continue
		}
		lines := r.lines(nil, 0)
		if first := lines[0]; i > 300 && first.Missed+int64(len(lines)-1) != int64(i+1) {
			t.Fatalf("%d lines are missing and %d here, of %d", first.Missed, len(lines)-1, i+1)
		}
		for back := range len(lines) - 1 {
			if l := lines[len(lines)-1-back]; !strings.HasPrefix(l.Text, strconv.Itoa(i-back)+" ") || !l.At.Equal(at) {
				t.Fatalf("line %d is %+v", i-back, l)
			}
		}
		if last := r.newest(); last.Text != string(line) {
			t.Fatalf("the last line is %q", last.Text)
		}
	}
	if r.add(at, byte(Client), make([]byte, 1024)); len(r.lines(nil, r.next)) != 0 || r.newest().Text != "" {
		t.Error("a line is kept that has no room")
	}
}

// TestMemory is bounded by the options, is used again, and is all given back.
func TestMemory(t *testing.T) {
	const most, each = 64 << 10, 8 << 10
	r := New(Options{Memory: most, Session: each, Failed: 3, Recent: 3})
	line := []byte(strings.Repeat("x", 500))
	var open []*session
	for range 100 {
		s := r.begin(View{ID: r.NextID(), Direction: Out}, nil)
		open = append(open, s)
		for range 50 {
			s.reply(time.Now(), line)
			if used := r.memory.used.Load(); used > most {
				t.Fatalf("%d octets are used", used)
			}
		}
		if got := cap(s.ring.buf); got > each {
			t.Fatalf("one ring has %d octets", got)
		}
	}
	if used := r.memory.used.Load(); used < most-each {
		t.Errorf("only %d octets are used", used)
	}
	for i, s := range open {
		var err error
		if i%2 == 0 {
			err = io.ErrUnexpectedEOF
		}
		r.end(s, time.Now(), err)
	}
	if len(r.all) != 6 || len(r.Ended()) != 3 || len(r.List()) != 0 {
		t.Errorf("%d sessions are known, of which %d failed and %d live", len(r.all), len(r.Ended()), len(r.List()))
	}
	if used := r.memory.used.Load(); used > 6*each {
		t.Errorf("%d octets are used by what is kept", used)
	}
	for _, s := range r.all {
		r.memory.free(&s.ring)
	}
	if used := r.memory.used.Load(); used != 0 {
		t.Errorf("%d octets are never given back", used)
	}
}

// TestLinesCostNoMemory: a session that says what one before it said uses the memory of
// that one.
func TestLinesCostNoMemory(t *testing.T) {
	r := New(Options{})
	s := r.begin(View{ID: r.NextID(), Direction: In}, nil)
	in, out, now := []byte("RCPT TO:<bob@sina.example>"), []byte("250 2.1.5 OK"), time.Now()
	for range 1000 { // the ring grows to its full size
		s.command(now, in)
		s.reply(now, out)
	}
	if n := testing.AllocsPerRun(1000, func() {
		s.command(now, in)
		s.texted(now, 10)
		s.reply(now, out)
	}); n != 0 {
		t.Errorf("%v allocations a command", n)
	}
}

func BenchmarkLine(b *testing.B) {
	r := New(Options{})
	s := r.begin(View{ID: r.NextID(), Direction: In}, nil)
	in, out := []byte("RCPT TO:<bob@sina.example>"), []byte("250 2.1.5 OK")
	b.ReportAllocs()
	for b.Loop() {
		s.command(time.Now(), in)
		s.reply(time.Now(), out)
	}
}
