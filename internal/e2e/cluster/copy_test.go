package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// there moves a queue of three letters from a disk into the database.
func there(t *testing.T, n *node, l *ledger) {
	t.Helper()
	old := n.alone(t, "old", true)
	old.run(t)
	old.takes(t, l, 100, 40_000, 300_000)
	old.end(t)
	n.copies(t, 3, "old", "posthouse.hcl")
	refuses(t, old, "run", 73, "its mail was copied to")
}

// outlives: a fourth letter is promised while nothing can be sent, and the node is killed.
func outlives(t *testing.T, n *node, l *ledger) {
	t.Helper()
	n.holds(t, true)
	n.run(t)
	n.takes(t, l, 5000)
	n.kill()
	n.run(t)
	n.end(t)
}

// back moves the queue to another disk. It is sent from there, and from nowhere else.
func back(t *testing.T, n *node, l *ledger) {
	t.Helper()
	n.copies(t, 4, "posthouse.hcl", "new")
	refuses(t, n, "run", 69, "its mail was copied to")
	if out, err := exec.Command(program, "spool", "check", "--offline", "--data", filepath.Join(n.dir, "new")).CombinedOutput(); err != nil {
		t.Errorf("the copy: %v\n%s", err, out)
	}
	house := n.alone(t, "new", false)
	house.run(t)
	pgtest.Wait(t, "all four letters have arrived", func() bool { _, arrived := l.count(); return arrived == 4 })
	house.end(t)
	for name, copies := range l.arrived {
		if len(copies) != 1 {
			t.Errorf("%s arrived %d times", name, len(copies))
		}
	}
}

// alone is the node with its queue on a disk of its own.
func (n *node) alone(t *testing.T, data string, hold bool) *node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, n.conf))
	check(t, err)
	first, rest, _ := strings.Cut(string(text), "spool {")
	_, rest, _ = strings.Cut(rest, "}\n")
	a := &node{name: n.name, dir: n.dir, conf: data + ".hcl"}
	check(t, os.WriteFile(filepath.Join(a.dir, a.conf), []byte(strings.Replace(first, `"data"`, fmt.Sprintf("%q", data), 1)+rest), 0o644))
	a.holds(t, hold)
	return a
}

// takes has the node take letters of some sizes.
func (n *node) takes(t *testing.T, l *ledger, sizes ...int) {
	t.Helper()
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	conn, err := d.Dial(t.Context(), "tcp", n.at)
	check(t, err)
	defer conn.Close()
	c := &load{ledger: l, stop: make(chan struct{})}
	before, _ := l.count()
	for _, size := range sizes {
		if !c.send(conn, fmt.Sprintf("letter-of-%d", size), size) {
			t.Errorf("a letter of %d octets was not taken", size)
		}
	}
	if promised, _ := l.count(); promised != before+len(sizes) {
		t.Errorf("%d letters were promised", promised-before)
	}
}

// holds says whether the node sends nothing, from its next start on.
func (n *node) holds(t *testing.T, is bool) {
	t.Helper()
	name := filepath.Join(n.dir, n.conf)
	text, err := os.ReadFile(name)
	check(t, err)
	const hold = "queue { hold = true }\n"
	kept := strings.TrimPrefix(string(text), hold)
	if is {
		kept = hold + kept
	}
	check(t, os.WriteFile(name, []byte(kept), 0o644))
}

// copies moves a queue of so many messages from one spool to another. Both are read again after it.
func (n *node) copies(t *testing.T, messages int64, from, to string) {
	t.Helper()
	cmd := exec.Command(program, "spool", "copy", from, to, "--json")
	cmd.Dir = n.dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("spool copy %s %s: %v\n%s", from, to, err, out)
	}
	var said struct {
		Messages, Facts int64
		Checksum        string
	}
	check(t, json.Unmarshal(out, &said))
	if said.Messages != messages || said.Facts < messages || len(said.Checksum) != 64 {
		t.Errorf("spool copy %s %s: %s", from, to, out)
	}
}
