package directorytest

import (
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

// PostgresPassword is that of the user posthouse, who owns all.
const PostgresPassword = "db-canary"

// StartPostgres runs PostgreSQL as a plain process, with what a script of SQL makes, and
// returns the directory of its socket. The test is skipped if there is no such server.
func StartPostgres(t *testing.T, script string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatal("PostgreSQL (Debian: postgresql) is not here, and POSTHOUSE_TEST_ALL is set")
		}
		t.Skip("PostgreSQL (Debian: postgresql) is not here")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("", "pg") // the name of a socket must be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.WriteFile(filepath.Join(dir, "word"), []byte(PostgresPassword+"\n"), 0o644))
	as := somebody(t, dir)
	run := func(stdin, name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.SysProcAttr, cmd.Dir, cmd.Stdin = as, dir, strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PGPASSWORD="+PostgresPassword)
		return cmd
	}
	runs := func(cmd *exec.Cmd) {
		t.Helper()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	runs(run("", "initdb", "-D", dir+"/db", "-U", "posthouse", "-A", "scram-sha-256", "--pwfile", dir+"/word", "-N"))
	server := run("", "postgres", "-D", dir+"/db", "-k", dir, "-c", "listen_addresses=", "-F")
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	must(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGQUIT); <-ended })
	for guard := time.Now().Add(time.Minute); run("", "pg_isready", "-q", "-h", dir).Run() != nil; {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("postgres: %v\n%s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(guard) {
			t.Fatal("postgres does not begin")
		}
	}
	runs(run(script, "psql", "-v", "ON_ERROR_STOP=1", "-q", "-h", dir, "-U", "posthouse", "postgres"))
	return dir
}

// somebody is as whom the server runs, for it refuses root; the directory becomes his.
func somebody(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	must(t, err)
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	must(t, os.Chown(dir, uid, gid))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
