package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/pipe"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

func program(t *testing.T, o pipe.Options) *pipe.Transport {
	t.Helper()
	if _, err := os.Stat(o.Argv[0]); err != nil && o.Exec == nil {
		t.Skip(err)
	}
	tr, err := pipe.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func send(t *testing.T, tr *pipe.Transport, to ...string) string {
	t.Helper()
	d := transporttest.Delivery(transporttest.Envelope(t, to...), transporttest.Hello, mail.Hop{})
	outcomes := tr.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	return transporttest.Tell(outcomes)
}

func TestSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		tr := program(t, pipe.Options{Argv: []string{"/bin/cat"}})
		return transporttest.Subject{Transport: tr, Domain: "b.test", Accepted: mail.Delivered}
	})
}

// sh runs a script; the tests need one, and the transport has none.
func sh(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

// TestStatuses: what a program says by its exit status, and what it prints.
func TestStatuses(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"cat >/dev/null", "0 delivered 250 2.0.0 delivered"},
		{"exit 0", "0 delivered 250 2.0.0 delivered"},
		{"echo into the; echo archive", "0 delivered 250 2.0.0 into the; archive"},
		{"echo ' busy ' >&2; exit 75", "0 deferred 451 4.3.0 busy"},
		{"exit 75", "0 deferred 451 4.3.0 temporary failure"},
		{"exit 67", "0 failed 550 5.1.1 user unknown"},
		{"exit 77", "0 failed 550 5.7.0 permission denied"},
		{"exit 1", "0 failed 550 5.3.0 exit status 1"},
		{`printf 'a\033[2Jb\000c\r\nd\377'; exit 65`, "0 failed 550 5.6.0 a [2Jb c; d?"},
		{"kill -TERM $$", "0 deferred 451 4.3.0 /bin/sh was ended by a signal: terminated, local"},
	} {
		got := send(t, program(t, pipe.Options{Argv: sh(c.script)}), "a@b.test")
		if want := c.want + ", /bin/sh []\n"; got != want {
			t.Errorf("%s:\ngot  %swant %s", c.script, got, want)
		}
	}
}

func TestCannotRun(t *testing.T) {
	tr, err := pipe.New(pipe.Options{Argv: []string{"/nonexistent/program"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, tr, "a@b.test"); !strings.HasPrefix(got, "0 deferred 451 4.3.5 /nonexistent/program cannot be run") {
		t.Error(got)
	}
}

// TestOutputIsBounded: a program that prints without end until it is done.
func TestOutputIsBounded(t *testing.T) {
	got := send(t, program(t, pipe.Options{Argv: sh("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; exit 65")}), "a@b.test")
	if len(got) > 1200 || !strings.HasPrefix(got, "0 failed 550 5.6.0 0123456789") {
		t.Errorf("%d octets: %.100s", len(got), got)
	}
}

// TestArguments: each is one word, whatever is in the address; and what it sees.
func TestArguments(t *testing.T) {
	var saw pipe.Command
	var text string
	tr := program(t, pipe.Options{
		Argv: []string{"/usr/bin/filter", "--for=%{recipient}", "%{user}", "at %{domain}: 100%%", "%{sender}", "%{id}"},
		Env:  []string{"LANG=C"},
		Exec: func(_ context.Context, c pipe.Command) (pipe.Status, error) {
			saw = c
			b, err := io.ReadAll(c.Input)
			text = string(b)
			return pipe.Status{}, err
		},
	})
	if got := send(t, tr, `"; rm -rf $(HOME)/*"@b.test`); !strings.HasPrefix(got, "0 delivered") {
		t.Fatal(got)
	}
	want := []string{"/usr/bin/filter", `--for="; rm -rf $(HOME)/*"@b.test`, "; rm -rf $(HOME)/*", "at b.test: 100%", "s@a.test", "041061r00000000000000"}
	if got := strings.Join(saw.Argv[:5], "|"); got != strings.Join(want[:5], "|") || len(saw.Argv) != 6 {
		t.Errorf("%q", saw.Argv)
	}
	if strings.Join(saw.Env, " ") != "PATH=/usr/bin:/bin LANG=C" || saw.Dir != "/" {
		t.Errorf("env %q, dir %q", saw.Env, saw.Dir)
	}
	if want := "Return-Path: <s@a.test>\r\nDelivered-To: \"; rm -rf $(HOME)/*\"@b.test\r\n" + transporttest.Hello; text != want {
		t.Errorf("text %q", text)
	}
}

// TestOptions: an address is never taken for an option.
func TestOptions(t *testing.T) {
	ran := 0
	exec := func(context.Context, pipe.Command) (pipe.Status, error) { ran++; return pipe.Status{}, nil }
	for word, refused := range map[string]bool{"%{recipient}": true, "%{user}@x": true, "to:%{user}": false, "%{domain}": false} {
		ran = 0
		got := send(t, program(t, pipe.Options{Argv: []string{"/bin/x", word}, Exec: exec}), "-froot@b.test")
		if refused != strings.HasPrefix(got, "0 failed 553 5.1.3") || refused == (ran == 1) {
			t.Errorf("%s: ran %d times: %s", word, ran, got)
		}
	}
}

// TestHalfAText: a program never takes half a text for all of it.
func TestHalfAText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "done")
	tr := program(t, pipe.Options{Argv: sh(`cat >/dev/null; echo >"$1"`, file)})
	for range 20 {
		d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test"), "", mail.Hop{})
		d.Content = &transporttest.Text{Octets: transporttest.Hello, ReadErr: transporttest.ErrDisk}
		outcomes := tr.Deliver(t.Context(), d)
		transporttest.Check(t, d, outcomes)
		if got := transporttest.Tell(outcomes); !strings.HasPrefix(got, "0 deferred 451 4.3.0 The text cannot be read: disk on  fire") {
			t.Error(got)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the program came to the end of half a text")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, argv := range [][]string{nil, {"cat"}, {"./cat"}, {"/bin/cat", "%{nobody}"}, {"/bin/cat", "%"}, {"/bin/cat", "%{user"}, {"/bin/cat", "%s"}} {
		if _, err := pipe.New(pipe.Options{Argv: argv}); err == nil {
			t.Errorf("%q is taken", argv)
		}
	}
}

// TestTimeout: the program, and the child that it started, are gone.
func TestTimeout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	tr := program(t, pipe.Options{Argv: sh(`sleep 1000 & echo $! >"$1.new"; mv "$1.new" "$1"; wait`, file), Timeout: 300 * time.Millisecond})
	began := time.Now()
	got := send(t, tr, "a@b.test")
	if !strings.HasPrefix(got, "0 deferred 451 4.3.0 /bin/sh took longer than 300ms, local") || time.Since(began) > 5*time.Second {
		t.Errorf("%v: %s", time.Since(began), got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !endsSoon(pid) {
		t.Error("the child lives on")
	}
}

// endsSoon reports whether a process is gone, or only waits to be buried.
func endsSoon(pid int) bool {
	for range 50 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || bytes.Contains(stat, []byte(") Z ")) {
			return true
		}
		<-time.After(20 * time.Millisecond)
	}
	return false
}

// TestCancelled: a delivery that we end is no attempt, and its program ends.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr := program(t, pipe.Options{
		Argv: []string{"/bin/x"},
		Exec: func(ctx context.Context, _ pipe.Command) (pipe.Status, error) {
			cancel()
			<-ctx.Done()
			return pipe.Status{Signal: "killed"}, nil
		},
	})
	d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test", "b@b.test"), transporttest.Hello, mail.Hop{})
	outcomes := tr.Deliver(ctx, d)
	transporttest.Check(t, d, outcomes)
	if got := transporttest.Tell(outcomes); strings.Count(got, "our limit") != 2 {
		t.Error(got)
	}
}

// TestAliases: the command is that of the alias, its words are taken as they
// stand, and lines end as programs expect.
func TestAliases(t *testing.T) {
	for _, c := range []struct{ into, want string }{
		{`|/usr/bin/vacation -m 'out of office' '%{user}'`, `0 delivered 250 2.0.0 "/usr/bin/vacation" "-m" "out of office" "%{user}", /usr/bin/vacation []`},
		{`|/usr/bin/a;/usr/bin/b`, "0 failed 554 5.3.5 The command of the alias cannot be run: ';' needs a shell, and there is none: quote it, or write a script, local"},
		{"/usr/bin/a", "0 failed 554 5.3.5 The alias names no command, local"},
	} {
		text := ""
		tr := pipe.Aliases(pipe.Options{Exec: func(_ context.Context, c pipe.Command) (pipe.Status, error) {
			b, err := io.ReadAll(c.Input)
			text = string(b)
			words := fmt.Sprintf("%q", c.Argv)
			return pipe.Status{Output: []byte(words[1 : len(words)-1])}, err
		}})
		d := transporttest.Delivery(transporttest.Envelope(t, "robot@b.test"), transporttest.Hello, mail.Hop{})
		d.Envelope.To[0].Into = c.into
		outcomes := tr.Deliver(t.Context(), d)
		transporttest.Check(t, d, outcomes)
		if got := transporttest.Tell(outcomes); got != c.want+"\n" {
			t.Errorf("%s:\n got %swant %s", c.into, got, c.want)
		}
		want := "Return-Path: <s@a.test>\nDelivered-To: robot@b.test\n" + strings.ReplaceAll(transporttest.Hello, "\r\n", "\n")
		if outcomes[0].Fate == mail.Delivered && text != want {
			t.Errorf("text %q", text)
		}
	}
}

// TestAliasesSuite runs a real program.
func TestAliasesSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		return transporttest.Subject{Transport: cat{pipe.Aliases(pipe.Options{})}, Domain: "b.test", Accepted: mail.Delivered}
	})
}

// cat gives every recipient the same command, as an alias does.
type cat struct{ *pipe.Transport }

func (c cat) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	for i := range d.Envelope.To {
		d.Envelope.To[i].Into = "|/bin/cat"
	}
	return c.Transport.Deliver(ctx, d)
}
