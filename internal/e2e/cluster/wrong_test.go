package cluster

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/pgtest"
)

// TestOneNode is the short story that always runs: what is wrong with the database is
// said, with what to do; a queue goes into it from a disk; what was answered 250 outlives kill -9;
// and the queue goes back to a disk, from where it is sent.
func TestOneNode(t *testing.T) {
	d := newDatabase(t, false)
	l := newLedger()
	h := newHost(t, l)
	refuses(t, newNode(t, "mx1", "postgres://posthouse@127.0.0.1:1/posthouse", h.at, ""), "run", 69, "is not to be reached")
	n := newNode(t, "mx1", pgtest.Address(named, d), h.at, "durability = \"primary\"\n")
	refuses(t, n, "run", 69, `make one with "posthouse spool migrate"`)
	n.says(t, "spool", "migrate")
	if said := n.says(t, "spool", "migrate"); !strings.Contains(said, "nothing was changed") {
		t.Errorf("migrated twice: %s", said)
	}
	refuses(t, newNode(t, "mx1", pgtest.Address(named, d), h.at, ""), "run", 69, "it has no synchronous standby", "synchronous_standby_names", `durability = "primary"`)
	d.Exec(t, named, "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA posthouse TO clerk; GRANT SELECT ON posthouse.migration TO clerk")
	weak := strings.Replace(pgtest.Address(named, d), "posthouse@", "clerk@", 1)
	refuses(t, newNode(t, "mx1", weak, h.at, "durability = \"primary\"\n"), "run", 69, "the role must own the schema")
	d.Exec(t, named, "INSERT INTO posthouse.migration (version) VALUES (99)")
	refuses(t, n, "run", 69, "version 99", "use a newer one")
	refuses(t, n, "spool migrate", 69, "version 99", "use a newer one")
	d.Exec(t, named, "DELETE FROM posthouse.migration WHERE version = 99")

	there(t, n, l)
	outlives(t, n, l)
	back(t, n, l)
}

// refuses has a command of a node end with a status, and say why.
func refuses(t *testing.T, n *node, command string, status int, words ...string) {
	t.Helper()
	out, err := n.command(strings.Fields(command)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status {
		t.Errorf("%s ended with %v\n%s", command, err, out)
	}
	for _, w := range words {
		if !strings.Contains(string(out), w) {
			t.Errorf("%s does not say %q:\n%s", command, w, out)
		}
	}
}
