package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestOneNode is the short story that always runs: what is wrong with the database is
// said, with what to do; a queue goes into it from a disk; and what was answered 250 outlives kill -9.
func TestOneNode(t *testing.T) {
	d := newDatabase(t, false)
	l := newLedger()
	h := newHost(t, l)
	refuses(t, newNode(t, "mx1", "postgres://posthouse@127.0.0.1:1/posthouse", h.at, ""), "run", "is not to be reached")
	n := newNode(t, "mx1", pgtest.Address(named, d), h.at, "durability = \"primary\"\n")
	refuses(t, n, "run", `make one with "posthouse spool migrate"`)
	n.says(t, "spool", "migrate")
	if said := n.says(t, "spool", "migrate"); !strings.Contains(said, "nothing was changed") {
		t.Errorf("migrated twice: %s", said)
	}
	refuses(t, newNode(t, "mx1", pgtest.Address(named, d), h.at, ""), "run", "it has no synchronous standby", "synchronous_standby_names", `durability = "primary"`)
	d.Exec(t, named, "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA posthouse TO clerk; GRANT SELECT ON posthouse.migration TO clerk")
	weak := strings.Replace(pgtest.Address(named, d), "posthouse@", "clerk@", 1)
	refuses(t, newNode(t, "mx1", weak, h.at, "durability = \"primary\"\n"), "run", "the role must own the schema")
	d.Exec(t, named, "INSERT INTO posthouse.migration (version) VALUES (99)")
	refuses(t, n, "run", "version 99", "use a newer one")
	refuses(t, n, "spool migrate", "version 99", "use a newer one")
	d.Exec(t, named, "DELETE FROM posthouse.migration WHERE version = 99")

	outlives(t, n, l)
	l.settle(t, pgtest.Address(named, d))
}

// refuses has a command of a node end with the status of something that is not available.
func refuses(t *testing.T, n *node, command string, words ...string) {
	t.Helper()
	out, err := n.command(strings.Fields(command)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 69 {
		t.Errorf("%s ended with %v\n%s", command, err, out)
	}
	for _, w := range words {
		if !strings.Contains(string(out), w) {
			t.Errorf("%s does not say %q:\n%s", command, w, out)
		}
	}
}

// outlives: three letters are promised while nothing can be sent, and the node is killed.
func outlives(t *testing.T, n *node, l *ledger) {
	t.Helper()
	n.holds(t, true)
	n.run(t)
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	conn, err := d.Dial(t.Context(), "tcp", n.at)
	check(t, err)
	c := &load{ledger: l, stop: make(chan struct{})}
	for i, size := range []int{100, 40_000, 300_000} {
		if !c.send(conn, fmt.Sprintf("letter-%d", i), size) {
			t.Errorf("letter %d was not taken", i)
		}
	}
	n.kill()
	_ = conn.Close() // it is cut already
	if promised, _ := l.count(); promised != 3 {
		t.Errorf("%d letters were promised", promised)
	}
	n.run(t)
	n.end(t)
	goesHome(t, n)
	n.holds(t, false)
	n.run(t)
}

// holds says whether the node sends nothing, from its next start on.
func (n *node) holds(t *testing.T, is bool) {
	t.Helper()
	name := filepath.Join(n.dir, "posthouse.hcl")
	text, err := os.ReadFile(name)
	check(t, err)
	const hold = "queue { hold = true }\n"
	kept := strings.TrimPrefix(string(text), hold)
	if is {
		kept = hold + kept
	}
	check(t, os.WriteFile(name, []byte(kept), 0o644))
}

// goesHome copies the queue from the database to a disk.
func goesHome(t *testing.T, n *node) {
	t.Helper()
	home := filepath.Join(n.dir, "home")
	if said := n.copies(t, "posthouse.hcl", home, "--keep"); !strings.Contains(said, "Copied 3 messages") || !strings.Contains(said, "are the same") {
		t.Errorf("copied: %s", said)
	}
	if out, err := exec.Command(program, "spool", "check", "--offline", "--data", home).CombinedOutput(); err != nil {
		t.Errorf("the copy: %v\n%s", err, out)
	}
}

func (n *node) copies(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, append([]string{"spool", "copy"}, args...)...)
	cmd.Dir = n.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("spool copy %v: %v\n%s", args, err, out)
	}
	return string(out)
}
