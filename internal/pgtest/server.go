// Package pgtest runs real PostgreSQL for tests: servers of their own, in directories of
// their own, that are gone when the test is over. One may follow another, and be killed, stopped
// for a while and promoted.
//
//	primary := pgtest.Start(t, pgtest.Options{TCP: true, Synchronous: true})
//	standby := primary.Standby(t)
//	primary.InStep(t)
//	spool, err := pgspool.Open(ctx, pgtest.Address("mail", primary, standby), ...)
//
// Debian's package "postgresql" has the programs. Where they are not a test is skipped; with
// POSTHOUSE_TEST_ALL set it fails.
package pgtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// TB is what is wanted of whoever runs a server: a test, a benchmark, or a program that
// measures.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
}

// Options of a server. Its administrator is "posthouse".
type Options struct {
	// TCP has it listen on a port of 127.0.0.1 beside its socket: a standby can follow it.
	TCP bool
	// Synchronous has commits wait for any one standby.
	Synchronous bool
	// MayLose what was committed when the machine stops: nothing is synced, and tests are quick.
	MayLose bool
	// Password that everybody has to know; "": nobody is asked.
	Password string
	// Settings more, such as "work_mem = '1MB'".
	Settings []string
	// Files are written into its data before it starts, for its own eyes only.
	Files map[string]string
	// Ahead is by how much its clock is ahead of that of the machine (Debian: libfaketime).
	Ahead time.Duration
	// Below is where its directory is made; "" is the folder of temporary files.
	Below string
}

// Server is a PostgreSQL.
type Server struct {
	// Dir has its socket and its data. The name is short, as those of sockets must be.
	Dir string
	// Port is 5432, unless it listens on TCP.
	Port int

	o    Options
	bin  string // of its programs
	as   *syscall.SysProcAttr
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start makes a server and starts it.
func Start(t TB, o Options) *Server {
	t.Helper()
	s := place(t, o, programs(t))
	s.create(t)
	s.Start(t)
	return s
}

// create makes an empty database cluster.
func (s *Server) create(t TB) {
	t.Helper()
	word := filepath.Join(s.Dir, "password")
	check(t, os.WriteFile(word, []byte(s.o.Password+"\n"), 0o644))
	args := []string{"-D", s.Data(), "-U", "posthouse", "-N", "--no-instructions", "-E", "UTF8", "--locale=C"}
	if s.o.Password == "" {
		args = append(args, "-A", "trust")
	} else {
		args = append(args, "-A", "scram-sha-256", "--pwfile", word)
	}
	s.Run(t, "initdb", args...)
	f, err := os.OpenFile(filepath.Join(s.Data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(s.o.settings())
	check(t, err)
	check(t, f.Close())
	for name, text := range s.o.Files {
		s.write(t, name, text)
	}
}

func (s *Server) write(t TB, name, text string) {
	t.Helper()
	name = filepath.Join(s.Data(), name)
	check(t, os.WriteFile(name, []byte(text), 0o600))
	if s.as != nil {
		check(t, os.Chown(name, int(s.as.Credential.Uid), int(s.as.Credential.Gid)))
	}
}

func (o *Options) settings() string {
	list := []string{"max_connections = 200", "shared_buffers = 64MB"}
	if o.Synchronous {
		list = append(list, "synchronous_standby_names = 'ANY 1 (*)'")
	}
	if o.MayLose {
		list = append(list, "fsync = off", "full_page_writes = off")
	}
	return strings.Join(append(list, o.Settings...), "\n") + "\n"
}

// Data is the directory of its data.
func (s *Server) Data() string { return filepath.Join(s.Dir, "data") }

// Command is one of PostgreSQL's programs, run as who the server is. If it connects, what it
// does waits for no standby.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = s.as, s.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PGHOST="+s.Dir, "PGPORT="+strconv.Itoa(s.Port), "PGUSER=posthouse",
		"PGPASSWORD="+s.o.Password, "PGOPTIONS=-c synchronous_commit=local")
	return cmd
}

// Run runs one of PostgreSQL's programs, which must end well, and returns what it says.
func (s *Server) Run(t TB, name string, args ...string) string {
	t.Helper()
	out, err := s.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Start starts a server that has ended, and waits until it answers.
func (s *Server) Start(t TB) {
	t.Helper()
	listen := ""
	if s.o.TCP {
		listen = "127.0.0.1"
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(t, err)
	defer log.Close() // the server has its own
	cmd, done := s.Command("postgres", "-D", s.Data(), "-k", s.Dir, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses="+listen), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if s.o.Ahead != 0 {
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+clockwork(t), fmt.Sprintf("FAKETIME=%+.3fs", s.o.Ahead.Seconds()))
	}
	check(t, cmd.Start())
	s.cmd, s.done = cmd, done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		s.signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		<-done
	})
	Wait(t, "PostgreSQL answers", func() bool {
		select {
		case <-done:
			t.Fatalf("PostgreSQL ended:\n%s", s.Said())
		default:
		}
		return s.Command("pg_isready", "-q").Run() == nil
	})
}

func (s *Server) log() string { return filepath.Join(s.Dir, "log") }

// Said is the end of the server's log.
func (s *Server) Said() string {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// Ended is closed when the server has ended.
func (s *Server) Ended() <-chan struct{} { return s.done }

// DSN is the address of one of its databases, with parameters to which more can be added.
func (s *Server) DSN(database string) string {
	q := url.Values{"sslmode": {"disable"}, "host": {s.Dir}, "port": {strconv.Itoa(s.Port)}}
	return "postgres://posthouse@/" + database + "?" + q.Encode()
}

// Address is how a configuration names a database on some servers: whichever is the primary
// is meant. All listen on TCP.
func Address(database string, all ...*Server) string {
	hosts := make([]string, len(all))
	for i, s := range all {
		hosts[i] = fmt.Sprintf("127.0.0.1:%d", s.Port)
	}
	return "postgres://posthouse@" + strings.Join(hosts, ",") + "/" + database
}

// guard is how long anything may take that is waited for: longer than on any machine.
const guard = 3 * time.Minute

// Wait waits until something is so.
func Wait(t TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(guard); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func check(t TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}
