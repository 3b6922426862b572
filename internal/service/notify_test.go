package service_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/service"
)

// supervisor hears what is told.
func supervisor(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

func hear(t *testing.T, l *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4096)
	if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := l.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotifier(t *testing.T) {
	l, path := supervisor(t)
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n, err := service.NewNotifier()
	if err != nil || !n.Heard() || n.Watchdog() != 30*time.Second {
		t.Fatalf("%+v, %v", n, err)
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if v, ok := os.LookupEnv(name); ok {
			t.Errorf("programs that we start would see %s=%s", name, v)
		}
	}
	for _, c := range []struct {
		tell func() error
		want string
	}{
		{func() error { return n.Ready("three listeners") }, `^READY=1\nSTATUS=three listeners$`},
		{n.Reloading, `^RELOADING=1\nMONOTONIC_USEC=\d+$`},
		{func() error { return n.Alive("fine") }, `^WATCHDOG=1\nSTATUS=fine$`},
		{func() error { return n.Stopping("a line\nREADY=1") }, `^STOPPING=1\nSTATUS=a line READY=1$`},
		{func() error { return n.Stopping("ending") }, `^STOPPING=1\nSTATUS=ending$`},
	} {
		if err := c.tell(); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, l); !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("told %q, want %s", got, c.want)
		}
	}
}

// TestNobodyHears: without a supervisor nothing is told, and a dead one is an error.
func TestNobodyHears(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := service.NewNotifier()
	if err != nil || n.Heard() || n.Ready("") != nil || n.Watchdog() != 0 {
		t.Errorf("%+v, %v", n, err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if n, err = service.NewNotifier(); err != nil || n.Ready("") == nil {
		t.Errorf("%+v, %v: nobody is there, and it was told", n, err)
	}
}

func TestWrongEnvironment(t *testing.T) {
	for name, value := range map[string]string{"NOTIFY_SOCKET": "notify", "WATCHDOG_USEC": "soon"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if n, err := service.NewNotifier(); err == nil {
				t.Errorf("%+v", n)
			}
		})
	}
	t.Setenv("WATCHDOG_USEC", "1000")
	t.Setenv("WATCHDOG_PID", "1")
	if n, err := service.NewNotifier(); err != nil || n.Watchdog() != 0 {
		t.Errorf("the watchdog of another process was taken: %+v, %v", n, err)
	}
}
