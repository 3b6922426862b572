package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gullible is a server as they were: a CR, an LF and both are each the end of a line, in
// a dialogue and in a text, and so a dot between any two of them ends a text. It
// takes all that it hears, and keeps it. What would be a second message to it would be one
// to somebody.
//
// The part of a story says what it answers other than the usual: lines of a verb, "CONNECT" or ".",
// and the reply, in which \r\n and what else Go knows stands for itself. "DRIP 1m" makes it
// say all an octet a minute.
type gullible struct {
	replies map[string]string
	pause   time.Duration

	mu    sync.Mutex
	calls []*call
}

// call is what was heard on one connection: lines; those of texts begin with a bar.
type call struct {
	*gullible
	lines []string
}

// usual replies; those that the story gives come first.
var usual = map[string]string{
	"CONNECT": `220 gullible`, "EHLO": `250-gullible\r\n250-8BITMIME\r\n250 PIPELINING`, "HELO": `250 gullible`,
	"DATA": `354 go on`, "QUIT": `221 bye`, "": `250 ok`,
}

func (w *world) gullible(address, text string) {
	w.Helper()
	g := &gullible{replies: map[string]string{}}
	for line := range strings.Lines(text) {
		verb, reply, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if verb == "DRIP" {
			g.pause = w.duration(reply)
		}
		g.replies[verb] = spell(reply)
	}
	w.servers[address] = g
	w.serve(address, func(_ int, conn net.Conn) { g.begin().answer(conn) })
}

// heard is what was heard since it was asked before, one connection after the other.
func (g *gullible) heard() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b strings.Builder
	for i, c := range g.calls {
		for _, line := range c.lines {
			fmt.Fprintf(&b, "%d %s\n", i+1, line)
		}
		c.lines = nil
	}
	return b.String()
}

func (g *gullible) begin() *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := &call{gullible: g, lines: []string{"-"}}
	g.calls = append(g.calls, c)
	return c
}

func (c *call) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

// say answers a verb. false: that was the end.
func (c *call) say(conn net.Conn, verb string) bool {
	reply, told := c.replies[verb]
	if !told {
		if reply, told = usual[verb]; !told {
			reply = usual[""]
		}
	}
	octets, err := strconv.Unquote(`"` + reply + `\r\n"`)
	if err != nil {
		octets = "421 the story is wrong: " + strconv.Quote(reply) + "\r\n"
	}
	if c.pause > 0 {
		drip(conn, c.pause, octets)
		return verb != "QUIT"
	}
	_, err = io.WriteString(conn, octets)
	return err == nil && verb != "QUIT"
}

func (c *call) answer(conn net.Conn) {
	lines := &anyLines{r: bufio.NewReader(conn)}
	if !c.say(conn, "CONNECT") {
		return
	}
	for {
		line, err := lines.next()
		if err != nil {
			return
		}
		c.note(printable(line))
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if verb == "BDAT" && c.chunk(lines, rest) != nil || !c.say(conn, verb) {
			return
		}
		if verb == "DATA" && (c.text(lines) != nil || !c.say(conn, ".")) {
			return
		}
	}
}

func (c *call) text(lines *anyLines) error {
	for {
		line, err := lines.next()
		if err != nil || line == "." {
			return err
		}
		c.note("| " + printable(line))
	}
}

func (c *call) chunk(lines *anyLines, words string) error {
	size, _, _ := strings.Cut(words, " ")
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	octets := make([]byte, n)
	_, err = io.ReadFull(lines, octets)
	for line := range strings.Lines(string(octets)) {
		c.note("| " + printable(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")))
	}
	return err
}

// anyLines reads lines, whatever ends them.
type anyLines struct {
	r  *bufio.Reader
	cr bool // an LF that comes now belongs to the CR before
}

func (a *anyLines) next() (string, error) {
	var line []byte
	for {
		c, err := a.r.ReadByte()
		if err != nil {
			return string(line), err
		}
		afterCR := a.cr
		a.cr = c == '\r'
		switch {
		case c == '\n' && afterCR:
		case c == '\r' || c == '\n':
			return string(line), nil
		default:
			line = append(line, c)
		}
	}
}

func (a *anyLines) Read(p []byte) (int, error) {
	if a.cr {
		a.cr = false
		if c, err := a.r.Peek(1); err == nil && c[0] == '\n' {
			_, _ = a.r.Discard(1)
		}
	}
	return a.r.Read(p)
}

// printable shows octets that are not.
func printable(line string) string {
	var b strings.Builder
	for _, c := range []byte(line) {
		if c < ' ' || c > '~' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
