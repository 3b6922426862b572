package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestDurableBeforeItIsPromised runs the program under strace, sends a message by each of
// its doors, and holds the system calls against what promise P1 says: what the
// 250 of a message stands for was synced before the 250 was written to the client.
func TestDurableBeforeItIsPromised(t *testing.T) {
	needStrace(t)
	dir := t.TempDir()
	config := fmt.Sprintf(configOfTrace, dir)
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	h := startHouse(t, dir, straceTo(trace)...)
	h.ready(t)
	h.at["sendmail"] = filepath.Join(dir, "data", maildrop.SubmitSocket)
	promises := map[string]promise{}
	for _, w := range waysIn {
		promises[w.name] = w.send(t, h)
	}
	endTraced(t, h)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	calls := readTrace(text)
	for name, p := range promises {
		if err := p.kept(calls); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d messages, %d system calls that were looked at", len(promises), len(calls))
}

const configOfTrace = `
hostname = "house.example"
data     = "%[1]s/data"

listen "smtp" {
  address = "127.0.0.1:0"
  tls     = "off"
}
listen "lmtp" { address = "unix:%[1]s/lmtp" }
relay { domains = "away.example" }

spool {
  file_bodies = "16KiB"
  reserve     = "16MiB"
}

route "away" {
  smarthost = "127.0.0.1:1"
  tls       = "never"
}
`

// straceTo is the command that traces what follows it, into a file.
func straceTo(file string) []string {
	const calls = "network,write,writev,pwrite64,pwritev,fsync,fdatasync,openat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,exit_group"
	return []string{"strace", "-f", "-y", "-s", "70000", "-e", "trace=" + calls, "-o", file, "--"}
}

// needStrace skips the test where nothing can be traced. Where everything is tested, a
// strace that is missing is a failure; a system that forbids tracing is none of ours.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		skip := t.Skipf
		if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
			skip = t.Fatalf
		}
		skip("strace is not installed: what is synced before a 250 is not looked at")
	}
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here (ptrace is not allowed?), so what is synced before a 250 is not looked at: %v: %s", err, out)
	}
}

// endTraced ends the house that strace has started; strace ends with it.
func endTraced(t *testing.T, h *living) {
	t.Helper()
	pid := h.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.wait(); err != nil {
		t.Error(err)
	}
}

// wayIn is a way on which a message comes in, and its size in lines of 64 octets.
type wayIn struct {
	name  string
	door  door
	lines int
}

var waysIn = []wayIn{
	{"DATA-small", doors[0], 5},
	{"DATA-large", doors[0], 3000},
	{"BDAT-small", doors[1], 5},
	{"BDAT-large", doors[1], 3000},
	{"LMTP-small", doors[2], 5},
	{"LMTP-large", doors[2], 3000},
	{"sendmail-small", atTheSocket, 5},
	{"sendmail-large", atTheSocket, 3000},
}

// atTheSocket is where sendmail knocks.
var atTheSocket = door{listener: "sendmail", dialer: smtpclient.Dialer{TLS: smtpclient.TLSNever}}

// send sends a message, and returns what was promised with its 250.
func (w *wayIn) send(t *testing.T, h *living) promise {
	t.Helper()
	conn, err := w.door.dial(t, h.at[w.door.listener])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to := mailbox(strings.ToLower(w.name) + "@away.example")
	first, last := "X-First: "+w.name+"-"+anyWord(), "the end of "+w.name+" "+anyWord()
	lines := string(loremOfCrash[:64*w.lines])
	text := first + "\r\nFrom: sender@here.example\r\n\r\n" + lines + last + "\r\n"
	env := smtpclient.Envelope{From: sender, To: []smtpclient.Recipient{{Path: to}}}
	if w.door.binary && w.lines > 1000 {
		env.Mail.Body = smtp.BodyBinary
	}
	r, err := conn.Send(t.Context(), env, smtpclient.Bytes([]byte(text)))
	if err != nil || !r.Accepted() {
		t.Fatalf("%s: %+v, %v", w.name, r, err)
	}
	return promise{answer: r.Recipients[0].Reply.Text, marks: []string{to.String(), first, last}}
}

// anyWord is not found anywhere else.
func anyWord() string { return strconv.FormatUint(rand.Uint64(), 36) }

// TestDurableInTheDrop does the same with sendmail, which leaves a message in the drop
// directory while the daemon is away: its end with status 0 is the promise.
func TestDurableInTheDrop(t *testing.T) {
	needStrace(t)
	dir := t.TempDir()
	file := filepath.Join(dir, configFile)
	if err := os.WriteFile(file, fmt.Appendf(nil, configOfTrace, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	h := startHouse(t, dir) // which makes the directory
	h.ready(t)
	h.signal(t, terminate)
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	args := append(straceTo(trace), "posthouse", "sendmail", "li@away.example")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "POSTHOUSE_CONFIG="+file)
	cmd.Stdin = strings.NewReader("X-First: of all\n\n" + strings.Repeat("a line\n", 5000) + "and the end\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	p := promise{marks: []string{"li@away.example", "X-First: of all", "and the end"}}
	if err := p.kept(readTrace(text)); err != nil {
		t.Error(err)
	}
}
