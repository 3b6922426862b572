package dovecot_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/dovecot"
	"github.com/posthouse/posthouse/internal/transcript"
)

// TestRealDovecot plays the suite against Dovecot itself.
func TestRealDovecot(t *testing.T) {
	if _, err := exec.LookPath("dovecot"); err != nil {
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			t.Fatal("dovecot is not installed, and POSTHOUSE_TEST_ALL is set")
		}
		t.Skip("dovecot is not installed")
	}
	directorytest.RunAccounts(t, func(t *testing.T, users []directorytest.User) directory.Accounts {
		return dovecot.New(dovecot.Options{Socket: startDovecot(t, users)})
	})
}

// startDovecot runs nothing of Dovecot but who may log in, and returns its socket.
func startDovecot(t *testing.T, users []directorytest.User) string {
	dir, err := os.MkdirTemp("", "dovecot") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var passwords strings.Builder
	for _, u := range users {
		fmt.Fprintf(&passwords, "%s:{PLAIN}%s\n", u.Name, u.Password)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`protocols =
ssl = no
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
default_internal_user = %[2]s
default_internal_group = %[3]s
default_login_user = %[2]s
auth_mechanisms = plain
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %[1]s/users
}
service auth {
  chroot =
  unix_listener auth-posthouse {
    mode = 0600
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`, dir, me.Username, group.Name)
	for name, text := range map[string]string{"users": passwords.String(), "dovecot.conf": conf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	socket := filepath.Join(dir, "run", "auth-posthouse")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return socket
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("dovecot does not listen: %v; it said %s", err, said)
		}
	}
}

// TestAnswers is what becomes of what Dovecot, or who is in its place, says.
func TestAnswers(t *testing.T) {
	const hello = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nDONE\n"
	for _, x := range []struct{ name, hello, answer, want string }{
		{"let in", hello, "OK\t1\tuser=jane\n", "jane"},
		{"by another name", hello, "OK\t1\tuser=Jane@Example.org\tnologin\n", "jane@example.org"},
		{"by the name given", hello, "OK\t1\n", "jane"},
		{"escaped", hello, "OK\t1\tuser=a\x01tb\n", "a\tb"},
		{"wrong", hello, "FAIL\t1\tuser=jane\n", "no login"},
		{"not now", hello, "FAIL\t1\tuser=jane\ttemp\n", "error: it cannot find out now"},
		{"of another question", hello, "OK\t2\tuser=jane\nFAIL\t1\n", "no login"},
		{"asks for more", hello, "CONT\t1\t\n", "error: it asks for more"},
		{"another version", "VERSION\t2\t0\nDONE\n", "", "error: it speaks another version"},
		{"no version", "VERSION\nDONE\n", "", "error: it speaks another version"},
		{"without PLAIN", "VERSION\t1\t2\nMECH\tEXTERNAL\nDONE\n", "", "error: it does not offer PLAIN"},
		{"gone", "VERSION\t1\t2\n", "", "error: no answer"},
		{"gone later", hello, "", "error: no answer"},
		{"a long line", hello, "OK\t1\t" + strings.Repeat("x", 10_000) + "\n", "error: no answer"},
		{"endless", hello, strings.Repeat("CUID\t7\n", 1000), "error: it says too much"},
		{"endless before", strings.Repeat("CUID\t7\n", 1000), "", "error: it says too much"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if got := checkWith(t, x.hello, x.answer); !strings.HasPrefix(got, x.want) {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
}

// checkWith asks about jane somebody who says the hello, and an answer to the question.
func checkWith(t *testing.T, hello, said string) string {
	ours, theirs := transcript.Pipe(1 << 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		r := bufio.NewReader(theirs)
		for range 2 { // VERSION and CPID, so that nobody writes to one who is gone
			if _, err := r.ReadString('\n'); err != nil {
				t.Errorf("the greeting: %v", err)
			}
		}
		_, _ = theirs.Write([]byte(hello))
		if !strings.HasSuffix(hello, "DONE\n") {
			return
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "AUTH\t") {
				if !strings.HasSuffix(line, "\tresp=AGphbmUAc2VjcmV0\n") {
					t.Errorf("asked %q", line)
				}
				_, _ = theirs.Write([]byte(said))
				return
			}
		}
	}()
	defer func() { <-done }()
	a := dovecot.New(dovecot.Options{Socket: "auth", Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
	defer ours.Close()
	is, err := a.Check(t.Context(), "jane", "secret")
	switch {
	case errors.Is(err, directory.ErrNoLogin):
		return "no login"
	case err != nil:
		return "error: " + strings.TrimPrefix(err.Error(), "ask Dovecot at auth: ")
	}
	return is.Name
}

func TestNobodyIsThere(t *testing.T) {
	a := dovecot.New(dovecot.Options{Socket: filepath.Join(t.TempDir(), "auth")})
	_, err := a.Check(t.Context(), "jane", "secret")
	if err == nil || errors.Is(err, directory.ErrNoLogin) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if _, err := a.Check(t.Context(), "jane\x00joe", "secret"); !errors.Is(err, directory.ErrNoLogin) {
		t.Error("a name with a NUL is asked about:", err)
	}
}
