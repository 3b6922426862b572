package e2e

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// postfix is a Postfix of our own: nothing of it is where that of the system is.
type postfix struct {
	dir, addr string
	uid, gid  int // of those of its processes that are not root
}

// daemons is where Postfix has the programs that do its work.
const daemons = "/usr/lib/postfix/sbin"

func needsPostfix(t *testing.T) {
	t.Helper()
	needs(t, filepath.Join(daemons, "master"))
	needsRoot(t, "run Postfix")
}

// startPostfix runs a Postfix at an address until the test is over. The settings
// stand at the end of its main.cf; in them @DIR@ is its directory, @UID@ and @GID@
// are who it is.
func startPostfix(t *testing.T, name, addr, settings string) *postfix {
	t.Helper()
	needsPostfix(t)
	p := &postfix{dir: directory(t), addr: addr}
	p.become(t)
	p.furnish(t, name, settings)
	cmd := exec.Command(filepath.Join(daemons, "master"), "-d", "-c", p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // all that it starts is in its group
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s said:\n%s", name, lastOf(p.log()))
		}
	})
	await(t, name, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, p.log)
	p.await(t, "lost connection after CONNECT", 1) // so that later ones can be counted
	return p
}

// furnish makes what Postfix wants to find.
func (p *postfix) furnish(t *testing.T, name, settings string) {
	t.Helper()
	fill := strings.NewReplacer("@DIR@", p.dir, "@DAEMONS@", daemons, "@ADDR@", p.addr, "@NAME@", name,
		"@UID@", strconv.Itoa(p.uid), "@GID@", strconv.Itoa(p.gid))
	for _, f := range []string{"main.cf", "master.cf"} {
		text, err := os.ReadFile(filepath.Join("testdata", "postfix", f))
		check(t, err)
		write(t, filepath.Join(p.dir, f), fill.Replace(strings.ReplaceAll(string(text), "@SETTINGS@", settings)))
	}
	check(t, os.MkdirAll(filepath.Join(p.dir, "queue", "pid"), 0o755))
	owned := strings.Fields("active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public")
	for _, d := range owned {
		p.own(t, filepath.Join("queue", d))
	}
	p.own(t, "data")
	p.own(t, "mail")
}

// own makes a directory that is Postfix's.
func (p *postfix) own(t *testing.T, name string) {
	t.Helper()
	dir := filepath.Join(p.dir, name)
	check(t, os.Mkdir(dir, 0o700))
	check(t, os.Chown(dir, p.uid, p.gid))
}

func (p *postfix) become(t *testing.T) {
	t.Helper()
	u, err := user.Lookup("postfix")
	check(t, err)
	p.uid, err = strconv.Atoi(u.Uid)
	check(t, err)
	p.gid, err = strconv.Atoi(u.Gid)
	check(t, err)
}

func (p *postfix) log() string { return file(filepath.Join(p.dir, "data", "log"))() }

func (p *postfix) await(t *testing.T, pattern string, count int) []string {
	t.Helper()
	return awaitLog(t, p.log, pattern, count)
}

// box is the Maildir of somebody.
func (p *postfix) box(user string) string { return filepath.Join(p.dir, "mail", user) }

// flush has it try again what it has deferred.
func (p *postfix) flush(t *testing.T) {
	t.Helper()
	out, err := exec.Command("/usr/sbin/postqueue", "-c", p.dir, "-f").CombinedOutput()
	if err != nil {
		t.Fatalf("postqueue: %v: %s", err, out)
	}
}
