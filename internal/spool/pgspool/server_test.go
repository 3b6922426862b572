package pgspool_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// server is a PostgreSQL that the tests started.
type server struct {
	dir  string // of its socket
	name string // of its data in dir
	bin  string
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	done chan struct{}
	said *strings.Builder
	port string // "": the usual one
}

// The tests share one server, which does not sync; each has a database of its own.
var shared struct {
	sync.Mutex
	server *server
	next   int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
		os.RemoveAll(shared.server.dir)
	}
	os.Exit(code)
}

// programs is the directory of PostgreSQL's programs.
func programs(t testing.TB) string {
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

// newServer makes an empty server in a directory of its own, which is not started.
func newServer(t testing.TB) *server {
	t.Helper()
	bin := programs(t)
	dir, err := os.MkdirTemp("", "pg") // the name of a socket must be short
	check(t, err)
	s := &server{dir: dir, name: "db", bin: bin, as: somebody(t, dir)}
	s.must(t, "initdb", "-D", s.data(), "-U", "posthouse", "-A", "trust", "-N", "--no-instructions", "-E", "UTF8", "--locale=C")
	return s
}

func (s *server) data() string { return filepath.Join(s.dir, s.name) }

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = s.as, s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	return cmd
}

func (s *server) must(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// start runs the server with settings, and waits until it answers.
func (s *server) start(t testing.TB, settings ...string) {
	t.Helper()
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=64MB", "-c", "max_connections=200"}
	if s.port != "" {
		args = append(args, "-p", s.port)
	}
	for _, set := range settings {
		args = append(args, "-c", set)
	}
	s.cmd, s.said, s.done = s.command("postgres", args...), new(strings.Builder), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	check(t, s.cmd.Start())
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	for guard := time.Now().Add(time.Minute); s.command("pg_isready", "-q", "-h", s.dir, "-p", s.portOr("5432")).Run() != nil; {
		select {
		case <-s.done:
			t.Fatalf("postgres ended\n%s", s.said)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(guard) {
			t.Fatal("postgres does not begin")
		}
	}
}

// stop ends the server as a crash does.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.done
}

func (s *server) portOr(usual string) string {
	if s.port != "" {
		return s.port
	}
	return usual
}

// dsn is the address of a database.
func (s *server) dsn(database string) string {
	return "postgres://posthouse@/" + database + "?host=" + url.QueryEscape(s.dir) + "&port=" + s.portOr("5432")
}

func (s *server) exec(t testing.TB, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.dsn(database))
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql)
	check(t, err)
}

// database makes a new one on the shared server, with the spool's tables.
func database(t testing.TB) (*server, string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s := newServer(t)
		s.start(t, "fsync=off", "full_page_writes=off")
		s.exec(t, "postgres", "CREATE DATABASE model")
		_, _, err := pgspool.Migrate(context.Background(), s.dsn("model"), pgspool.Options{})
		check(t, err)
		shared.server = s
	}
	shared.next++
	name := fmt.Sprint("spool", shared.next)
	shared.server.exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE model")
	return shared.server, name
}

// somebody is as whom the server runs, for it refuses root; the directory becomes his.
func somebody(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	check(t, err)
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	check(t, os.Chown(dir, uid, gid))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count asks the server for a number.
func (s *server) count(t testing.TB, database, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.dsn(database))
	check(t, err)
	defer conn.Close(context.Background())
	check(t, conn.QueryRow(context.Background(), sql).Scan(&n))
	return n
}
