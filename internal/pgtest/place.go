package pgtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// programs is the directory of PostgreSQL's programs, of the newest there is.
func programs(t TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found))
	}
	missing(t, "PostgreSQL (Debian: postgresql)")
	return ""
}

// clockwork is the library by which a program sees another time.
func clockwork(t TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		missing(t, "libfaketime (Debian: libfaketime)")
	}
	return found[0]
}

func missing(t TB, what string) {
	t.Helper()
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatalf("%s is not here, and POSTHOUSE_TEST_ALL is set", what)
	}
	t.Skipf("%s is not here", what)
}

// place is where a server may be.
func place(t TB, o Options, bin string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp(o.Below, "pg")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Dir: dir, Port: 5432, o: o, bin: bin}
	if o.TCP {
		s.Port = freePort(t)
	}
	if os.Geteuid() == 0 { // which PostgreSQL does not want to be
		s.as = somebody(t, dir)
	}
	return s
}

// somebody is as whom the server runs; the directory becomes his.
func somebody(t TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	check(t, err)
	uid, err := strconv.Atoi(u.Uid)
	check(t, err)
	gid, err := strconv.Atoi(u.Gid)
	check(t, err)
	check(t, os.Chown(dir, uid, gid))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// freePort is one at which nobody listens, below those that the system gives to
// connections: so it stays free while a server is away.
func freePort(t TB) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			check(t, l.Close())
			return port
		}
	}
	t.Fatalf("no port is free")
	return 0
}
