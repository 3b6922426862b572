package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// database is a PostgreSQL that the test has started.
type database struct {
	dir  string // its data
	port int
	bin  string
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	said *strings.Builder
	done chan struct{} // closed when it has ended
}

// programs is the directory of PostgreSQL's programs.
func programs(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatal("PostgreSQL (Debian: postgresql) is not here, and POSTHOUSE_TEST_ALL is set")
		}
		t.Skip("PostgreSQL (Debian: postgresql) is not here")
	}
	return filepath.Dir(slices.Max(found))
}

// newDatabase makes one whose commits wait for a standby, if that is wanted.
func newDatabase(t *testing.T, synchronous bool) *database {
	t.Helper()
	d := place(t, programs(t))
	d.must(t, "initdb", "-D", d.dir, "-U", "posthouse", "-A", "trust", "-N", "--no-instructions", "-E", "UTF8", "--locale=C")
	settings := "max_connections = 200\nshared_buffers = 64MB\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
	if synchronous {
		settings += "synchronous_standby_names = 'ANY 1 (*)'\n"
	}
	f, err := os.OpenFile(filepath.Join(d.dir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(settings)
	check(t, err)
	check(t, f.Close())
	d.start(t)
	d.tool(t, "createdb", "posthouse")
	return d
}

// place is where a database may be.
func place(t *testing.T, bin string) *database {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &database{dir: filepath.Join(dir, "data"), port: freePort(t), bin: bin}
	if os.Getuid() == 0 { // which PostgreSQL does not want to be
		d.as = somebody(t, dir)
	}
	return d
}

func somebody(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	u, err := user.Lookup("postgres")
	check(t, err)
	uid, err := strconv.Atoi(u.Uid)
	check(t, err)
	gid, err := strconv.Atoi(u.Gid)
	check(t, err)
	check(t, os.Chown(dir, uid, gid))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// freePort is one at which nobody listens, below those that the system gives to
// connections: so it stays free.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			check(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// standby is a copy of the database that follows it.
func (d *database) standby(t *testing.T) *database {
	t.Helper()
	s := place(t, d.bin)
	s.must(t, "pg_basebackup", "-D", s.dir, "-R", "-X", "stream", "-c", "fast",
		"-d", fmt.Sprintf("host=127.0.0.1 port=%d user=posthouse application_name=standby%d", d.port, s.port))
	s.start(t)
	return s
}

func (d *database) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(d.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = d.as, filepath.Dir(d.dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PGOPTIONS=-c synchronous_commit=local") // what the test does waits for no standby
	return cmd
}

func (d *database) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := d.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// tool runs a program that connects to the database.
func (d *database) tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	return d.must(t, name, append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(d.port), "-U", "posthouse"}, args...)...)
}

// asks is what the database answers.
func (d *database) asks(t *testing.T, sql string) string {
	t.Helper()
	return d.tool(t, "psql", "-X", "-A", "-t", "-c", sql, "posthouse")
}

// start runs the database, and waits until it answers.
func (d *database) start(t *testing.T) {
	t.Helper()
	d.cmd, d.said, d.done = d.command("postgres", "-D", d.dir, "-p", strconv.Itoa(d.port)), new(strings.Builder), make(chan struct{})
	d.cmd.Stdout, d.cmd.Stderr = d.said, d.said
	check(t, d.cmd.Start())
	cmd, done := d.cmd, d.done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		<-done
	})
	wait(t, "the database answers", func() bool {
		select {
		case <-done:
			t.Fatalf("postgres ended\n%s", d.said)
		default:
		}
		return d.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(d.port)).Run() == nil
	})
}

// kill ends the database and all of its processes at once, as a machine that is gone.
func (d *database) kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

// promote makes a primary of a standby.
func (d *database) promote(t *testing.T) {
	t.Helper()
	d.must(t, "pg_ctl", "promote", "-D", d.dir, "-w")
}

// inStep waits until the primary has a synchronous standby.
func (d *database) inStep(t *testing.T) {
	t.Helper()
	wait(t, "a standby follows", func() bool {
		return d.asks(t, "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'") != "0"
	})
}

// address is how nodes find whichever of some databases is the primary.
func address(all ...*database) string {
	hosts := make([]string, len(all))
	for i, d := range all {
		hosts[i] = fmt.Sprintf("127.0.0.1:%d", d.port)
	}
	return "postgres://posthouse@" + strings.Join(hosts, ",") + "/posthouse"
}

// guard is how long anything may take that is waited for: longer than on any machine.
const guard = 3 * time.Minute

// wait waits until something is so.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(guard); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
