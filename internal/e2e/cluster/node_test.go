package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/installed"
)

// program is the name of the one that [installed.Run] has built.
const program = "posthouse"

func TestMain(m *testing.M) { os.Exit(installed.Run(m)) }

// node is one "posthouse run" of a cluster.
type node struct {
	name string
	dir  string
	conf string // its configuration in dir
	at   string // where it takes mail
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	said logbook       // of all its lives
}

// logbook is what a program writes while we look at it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newNode writes the configuration of a node: all of its mail goes to the next hop.
func newNode(t *testing.T, name, database, next, more string) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "node") // t.TempDir is too long for a socket
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &node{name: name, dir: dir, conf: "posthouse.hcl"}
	text := fmt.Sprintf(`hostname = "%s.example.org"
data = "data"
spool {
  postgres = %q
  node = %q
%s}
listen "smtp" {
  address = ["127.0.0.1:0"]
  limits {
    per_address = 500
    messages = "none"
  }
}
relay { networks = ["127.0.0.0/8"] }
route "out" {
  to = ["*"]
  smarthost = [%q]
  tls = "never"
  retry = ["1s"]
}
`, name, database, name, more, next)
	check(t, os.WriteFile(filepath.Join(dir, "posthouse.hcl"), []byte(text), 0o644))
	return n
}

func (n *node) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, append(args, "--config", n.conf)...)
	cmd.Dir = n.dir
	return cmd
}

// says runs a command beside the node, and returns what it prints.
func (n *node) says(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("posthouse %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// run runs the node, and waits until it takes mail.
func (n *node) run(t *testing.T) {
	t.Helper()
	n.cmd, n.done = n.command("run", "--json", "--log", "none"), make(chan struct{})
	n.cmd.Stderr = &n.said
	stdout, err := n.cmd.StdoutPipe()
	check(t, err)
	check(t, n.cmd.Start())
	first, err := bufio.NewReader(stdout).ReadBytes('\n')
	cmd, done := n.cmd, n.done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-done
	})
	var where struct {
		Listen []struct{ Name, Address string }
	}
	if err != nil || json.Unmarshal(first, &where) != nil || len(where.Listen) != 1 {
		t.Fatalf("%s: %q, %v\n%s", n.name, first, err, &n.said)
	}
	n.at = where.Listen[0].Address
}

// kill ends the node at once.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
}

// end asks the node to end, and waits until it has.
func (n *node) end(t *testing.T) {
	t.Helper()
	check(t, n.cmd.Process.Signal(syscall.SIGTERM))
	<-n.done
	if s := n.cmd.ProcessState.ExitCode(); s != 0 {
		t.Errorf("%s ended with %d\n%s", n.name, s, tail(n.said.String()))
	}
}

// tail is the end of a log.
func tail(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
