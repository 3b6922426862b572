// Package cluster_test holds the files of this directory against the programs that read them.
package cluster_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/pgtest"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	check(t, err)
	return string(text)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// program finds one, and skips the test without it.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	switch {
	case err == nil:
		return path
	case os.Getenv("POSTHOUSE_TEST_ALL") != "":
		t.Fatalf("%s is not installed, and POSTHOUSE_TEST_ALL is set", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// TestTheNodes: the configuration is one for each of them, with what the compose file sets.
func TestTheNodes(t *testing.T) {
	env := map[string]string{"NODE": "mx1", "DB_HOSTS": "db1,db2,db3"}
	c, err := config.Parse("posthouse.hcl", []byte(read(t, "posthouse.hcl")), config.Options{Env: func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}})
	check(t, err)
	if got, want := c.Spool.Postgres.Value, "postgres://posthouse@db1,db2,db3/posthouse"; got != want {
		t.Errorf("the database is %s, want %s", got, want)
	}
	for name, value := range env {
		if !strings.Contains(read(t, "compose.yaml"), name+": ") {
			t.Errorf("the compose file does not set %s (%s)", name, value)
		}
	}
}

// TestHAProxy: it understands each line. The names of the nodes are not known here.
func TestHAProxy(t *testing.T) {
	haproxy := program(t, "haproxy")
	text := regexp.MustCompile(`\bmx\d:`).ReplaceAllString(read(t, "haproxy.cfg"), "127.0.0.1:")
	name := filepath.Join(t.TempDir(), "haproxy.cfg")
	check(t, os.WriteFile(name, []byte(text), 0o600))
	out, err := exec.Command(haproxy, "-c", "-f", name).CombinedOutput()
	if err != nil || strings.Contains(string(out), "WARNING") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestPostgreSQL runs a server with the settings, who may connect, and a certificate that secrets.sh made.
func TestPostgreSQL(t *testing.T) {
	program(t, "openssl")
	dir := t.TempDir()
	for _, name := range []string{"postgresql.conf", "pg_hba.conf", "secrets.sh"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(read(t, name)), 0o755))
	}
	if out, err := exec.Command(filepath.Join(dir, "secrets.sh")).CombinedOutput(); err != nil {
		t.Fatalf("secrets.sh: %v\n%s", err, out)
	}
	s := pgtest.Start(t, pgtest.Options{Files: map[string]string{
		"cluster.conf": read(t, "postgresql.conf"),
		"pg_hba.conf":  read(t, "pg_hba.conf"),
		"server.crt":   read(t, filepath.Join(dir, "secrets/db1.crt")),
		"server.key":   read(t, filepath.Join(dir, "secrets/db1.key")),
	}, Settings: []string{"include 'cluster.conf'"}})
	for name, want := range map[string]string{
		"synchronous_standby_names": "ANY 1 (*)", "synchronous_commit": "on", "fsync": "on", "full_page_writes": "on", "ssl": "on", "wal_level": "replica",
	} {
		if got := s.Run(t, "postgres", "-D", s.Data(), "-C", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestTheComposeFile: what it mounts is here, or made by secrets.sh; what it runs is a script that bash understands.
func TestTheComposeFile(t *testing.T) {
	made := read(t, "secrets.sh")
	for _, m := range regexp.MustCompile(`[ "]\./([^:"\s]+):`).FindAllStringSubmatch(read(t, "compose.yaml"), -1) {
		_, err := os.Stat(m[1])
		if secret, is := strings.CutPrefix(m[1], "secrets/"); errors.Is(err, os.ErrNotExist) && (!is || !strings.Contains(made, secret)) && m[1] != "secrets" {
			t.Errorf("%s is not there", m[1])
		}
	}
	for _, name := range []string{"postgres.sh", "secrets.sh"} {
		if out, err := exec.Command("bash", "-n", name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
