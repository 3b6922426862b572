package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// supervised is a house as systemd would start it: sockets are handed over by name, and
// it tells how it does.
const supervised = `
hostname = "mx.sohu.com"
data     = "data"
listen "smtp" { address = "127.0.0.1:1" }
listen "smtp" {
  name    = "second"
  address = "%s"
}
domain "sohu.com" { mailboxes = ["li"] }
`

// TestSupervised: the house answers at the sockets that it was given, by the name or the
// address of a listener, and tells its supervisor when it is ready, that it lives, when it
// reloads and when it ends.
func TestSupervised(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is not installed") // which knows the process by its number before it is one
	}
	dir := t.TempDir()
	var files []*os.File
	var at []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		l.Close() // f has the socket
		files, at = append(files, f), append(at, l.Addr().String())
	}
	config := filepath.Join(dir, configFile)
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf(supervised, at[1]))
	told := listenUnixgram(t, filepath.Join(dir, "notify"))

	cmd := exec.Command("sh", "-c", "LISTEN_PID=$$ WATCHDOG_PID=$$ exec posthouse run --config "+configFile)
	cmd.Dir, cmd.ExtraFiles = dir, files
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10", "LISTEN_FDS=3", "LISTEN_FDNAMES=smtp:x:nobody",
		"NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=1000000")
	said, err := os.Create(filepath.Join(dir, saidFile))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // of no effect once it has ended
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(said.Name())
			t.Logf("posthouse said:\n%s", text)
		}
	}()

	told.until(t, "READY=1\nSTATUS=0 recipients in the window, 0 deliveries under way")
	greets(t, at[0])
	greets(t, at[1])
	told.until(t, "WATCHDOG=1\n")
	if err := cmd.Process.Signal(hangUp); err != nil {
		t.Fatal(err)
	}
	told.until(t, "RELOADING=1\nMONOTONIC_USEC=")
	told.until(t, "READY=1\nSTATUS=0 recipients")
	write("hostname = 1")
	if err := cmd.Process.Signal(hangUp); err != nil {
		t.Fatal(err)
	}
	told.until(t, "RELOADING=1\nMONOTONIC_USEC=")
	told.until(t, "READY=1\nSTATUS=the configuration before stays in force")
	greets(t, at[0])
	greets(t, at[1])
	if err := cmd.Process.Signal(terminate); err != nil {
		t.Fatal(err)
	}
	told.until(t, "STOPPING=1\nSTATUS=ending")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	text, err := os.ReadFile(said.Name())
	if err != nil || !strings.Contains(string(text), "nobody listens on a socket that was handed over") || !strings.Contains(string(text), `socket="nobody `+at[2]) {
		t.Errorf("the socket that nobody wants is not told of: %v", err)
	}
}

// greets waits for a greeting.
func greets(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	code := make([]byte, 4)
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, code); err != nil || string(code) != "220 " {
		t.Errorf("%s greets with %q, %v", address, code, err)
	}
}

// ear hears what a service tells its supervisor.
type ear struct{ *net.UnixConn }

func listenUnixgram(t *testing.T, path string) ear {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return ear{l}
}

// until waits for what begins so.
func (e ear) until(t *testing.T, want string) {
	t.Helper()
	if err := e.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		n, err := e.Read(buf)
		if err != nil {
			t.Fatalf("it never told %q: %v", want, err)
		}
		if strings.HasPrefix(string(buf[:n]), want) {
			return
		}
	}
}
