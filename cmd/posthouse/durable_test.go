package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A call is one system call of a trace that "strace -f -y" has written. It begins in
// one line, and ends in the same one or in a later one ("resumed").
type call struct {
	name       string
	args       string
	result     string
	begin, end int // lines

	made string // path that it has put into a directory
	from string // name that this had before
}

var (
	lineOfCall = regexp.MustCompile(`^(\d+) +(\w+)\((.*?)(?:\) += (.*)| <unfinished \.\.\.>)$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*?)\) += (.*)$`)
	ofFile     = regexp.MustCompile(`^(?:\d+|AT_FDCWD)<([^>]*)>`)
	quoted     = regexp.MustCompile(`"([^"]*)"`)
)

// readTrace finds the calls of a trace. Signals and ends of threads are passed over.
func readTrace(text []byte) []*call {
	var calls []*call
	open := map[string]*call{} // by thread
	n := 0
	for line := range bytes.Lines(text) {
		n++
		s := strings.TrimRight(string(line), "\n")
		if m := resumed.FindStringSubmatch(s); m != nil {
			if c := open[m[1]]; c != nil {
				c.args, c.result, c.end = c.args+m[2], m[3], n
				delete(open, m[1])
			}
			continue
		}
		m := lineOfCall.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		c := &call{name: m[2], args: m[3], result: m[4], begin: n, end: n}
		if m[4] == "" {
			open[m[1]] = c
		}
		calls = append(calls, c)
	}
	calls = slices.DeleteFunc(calls, func(c *call) bool { return c.result == "" })
	for _, c := range calls {
		c.names()
	}
	return calls
}

// file is what the first argument of a call refers to: a path, or "socket:[1234]".
func (c *call) file() string {
	if m := ofFile.FindStringSubmatch(c.args); m != nil {
		return m[1]
	}
	return ""
}

func (c *call) failed() bool { return strings.HasPrefix(c.result, "-1") }

func (c *call) writes() bool {
	return slices.Contains([]string{"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg"}, c.name)
}

func (c *call) syncs() bool { return (c.name == "fsync" || c.name == "fdatasync") && c.result == "0" }

// names finds out which paths a call has made, and which other name it had.
func (c *call) names() {
	making := c.name == "openat" && strings.Contains(c.args, "O_CREAT") || strings.HasPrefix(c.name, "mkdir")
	moving := strings.HasPrefix(c.name, "rename") || strings.HasPrefix(c.name, "link")
	if c.failed() || !making && !moving {
		return
	}
	found := quoted.FindAllStringSubmatch(c.args, -1)
	if len(found) == 0 {
		return
	}
	c.made = found[len(found)-1][1]
	if moving && len(found) == 2 {
		c.from = found[0][1]
	}
}

// promise is what somebody was told, and what must be on stable storage by then.
type promise struct {
	answer string   // stands in what is written to the socket; "": the program ends with status 0
	marks  []string // stand in what is written to files: one of the envelope, others of the text
}

// kept says what is wrong with the way to a promise. Before the answer begins,
//
//   - each mark was written to a file
//   - that file was synced, after it was written
//   - where the file is new, or a directory above it, its directory was synced, after it was made
//   - a file that holds nothing but text was synced before what names it was written
func (p *promise) kept(calls []*call) error {
	told := p.told(calls)
	if told == nil {
		return fmt.Errorf("nobody was told %q", p.answer)
	}
	calls = slices.DeleteFunc(slices.Clone(calls), func(c *call) bool { return c.end >= told.begin })
	var record *call // the envelope
	for _, mark := range p.marks {
		w, err := written(calls, mark)
		if err != nil {
			return err
		}
		if err := inItsDirectory(calls, w.file(), told.begin); err != nil {
			return err
		}
		switch {
		case record == nil:
			record = w
		case w.file() == record.file():
		case synced(calls, w.file(), w.end, record.begin) == nil:
			return fmt.Errorf("%s was named in line %d before it was synced", w.file(), record.begin)
		default:
			if err := inItsDirectory(calls, w.file(), record.begin); err != nil {
				return err
			}
		}
	}
	return nil
}

// told is the call that promises.
func (p *promise) told(calls []*call) *call {
	for _, c := range calls {
		if p.answer == "" && c.name == "exit_group" && c.args == "0" {
			return c
		}
		if p.answer != "" && c.writes() && strings.HasPrefix(c.file(), "socket:") && strings.Contains(c.args, p.answer) {
			return c
		}
	}
	return nil
}

// written finds the write of a mark to a file that was synced after it.
func written(calls []*call, mark string) (*call, error) {
	err := fmt.Errorf("%q was not written to a file", mark)
	for _, c := range calls {
		if !c.writes() || c.failed() || !strings.HasPrefix(c.file(), "/") || !strings.Contains(c.args, mark) {
			continue
		}
		if synced(calls, c.file(), c.end, 1<<60) != nil {
			return c, nil
		}
		err = fmt.Errorf("%q was written to %s in line %d, which was not synced", mark, c.file(), c.begin)
	}
	return nil, err
}

// synced finds a sync of a file or directory that began after one line and ended before another.
func synced(calls []*call, path string, after, before int) *call {
	i := slices.IndexFunc(calls, func(c *call) bool {
		return c.syncs() && c.file() == path && c.begin > after && c.end < before
	})
	if i < 0 {
		return nil
	}
	return calls[i]
}

// inItsDirectory follows a file, and each directory above it, that was made in the
// trace: its directory was synced after that and before the given line.
func inItsDirectory(calls []*call, path string, before int) error {
	for _, c := range calls {
		if c.from == path && c.end < before {
			path = c.made
		}
	}
	for ; path != filepath.Dir(path); path = filepath.Dir(path) {
		for _, c := range calls {
			if c.made != path || c.end >= before || opensOnly(calls, c, path) {
				continue
			}
			if dir := filepath.Dir(path); synced(calls, dir, c.end, before) == nil {
				return fmt.Errorf("%s was made in line %d, and %s was not synced after it", path, c.begin, dir)
			}
		}
	}
	return nil
}

// opensOnly: the call asks for a file that was there, without having to make it.
func opensOnly(calls []*call, c *call, path string) bool {
	if c.name != "openat" || strings.Contains(c.args, "O_EXCL") {
		return false
	}
	return slices.ContainsFunc(calls, func(b *call) bool { return b != c && b.end < c.begin && b.made == path })
}

// TestDurable holds what we look for in a trace against traces that were made up: each file in
// testdata/durable says in its first line what is to be found.
func TestDurable(t *testing.T) {
	files, err := filepath.Glob("testdata/durable/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			want := strings.TrimPrefix(first, "# ")
			p := promise{answer: "250 2.0.0 queued as 1", marks: []string{"to@envelope", "the text"}}
			if strings.Contains(file, "status") {
				p.answer = ""
			}
			got := "good"
			if err := p.kept(readTrace(text)); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}
