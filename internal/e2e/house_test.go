package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// house is "posthouse run" with a configuration, which is posthouse.hcl in an archive of
// testdata together with the files that it names. The configuration reads from the
// environment what changes from run to run.
type house struct {
	dir  string
	env  []string
	at   map[string]string // where each listener is, by its name
	cmd  *exec.Cmd
	said logbook
}

// logbook is what a program writes while we look at it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// open unpacks an archive and runs the house in it until the test is over.
func open(t *testing.T, archive string, env ...string) *house {
	t.Helper()
	h := unpack(t, archive, env...)
	h.run(t)
	return h
}

// unpack makes the directory of a house.
func unpack(t *testing.T, archive string, env ...string) *house {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive+".txtar"))
	check(t, err)
	h := &house{dir: directory(t), env: env}
	for _, f := range a.Files {
		write(t, filepath.Join(h.dir, f.Name), string(f.Data))
	}
	return h
}

// run runs the house, until end.
func (h *house) run(t *testing.T) {
	t.Helper()
	h.cmd = exec.Command("posthouse", "run", "--config", "posthouse.hcl", "--data", "data", "--json")
	h.cmd.Dir = h.dir
	h.cmd.Env = append(os.Environ(), h.env...)
	h.cmd.Stderr = &h.said
	stdout, err := h.cmd.StdoutPipe()
	check(t, err)
	check(t, h.cmd.Start())
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // of no effect once it has ended
		_ = h.cmd.Wait()
		if t.Failed() {
			t.Logf("posthouse said:\n%s", lastOf(h.log()))
		}
	})
	first, err := bufio.NewReader(stdout).ReadBytes('\n')
	var where struct {
		Listen []struct{ Name, Address string }
	}
	if err != nil || json.Unmarshal(first, &where) != nil {
		t.Fatalf("posthouse run: %q, %v\n%s", first, err, &h.said)
	}
	h.at = map[string]string{}
	for _, l := range where.Listen {
		h.at[l.Name] = l.Address
	}
}

// end asks the house to end, and waits until it has.
func (h *house) end(t *testing.T) {
	t.Helper()
	check(t, h.cmd.Process.Signal(syscall.SIGTERM))
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("posthouse ended with %v", err)
	}
}

// log is what it has said so far, of all runs.
func (h *house) log() string { return h.said.String() }

// isClean holds the log to its form, when the house has ended: whatever strangers said, each line
// is ours, and has nothing in it that a terminal would obey.
func (h *house) isClean(t *testing.T) {
	t.Helper()
	for l := range strings.Lines(h.log()) {
		odd := strings.IndexFunc(strings.TrimSuffix(l, "\n"), func(r rune) bool { return !unicode.IsGraphic(r) })
		if !strings.HasPrefix(l, "time=") || odd >= 0 || !utf8.ValidString(l) {
			t.Errorf("the log has the line %q", l)
		}
	}
}

// await waits until its log has as many lines that match.
func (h *house) await(t *testing.T, pattern string, count int) []string {
	t.Helper()
	return awaitLog(t, h.log, pattern, count)
}

// box is the Maildir of somebody.
func (h *house) box(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return filepath.Join(h.dir, "data", "mail", domain, local)
}

// letter waits for the one message that is in the Maildir of somebody.
func (h *house) letter(t *testing.T, address string) string {
	t.Helper()
	return awaitLetters(t, h.box(address), 1, h.log)[0]
}

// dial is a client of ours that talks to a server without TLS.
func dial(t *testing.T, addr string) *smtpclient.Conn {
	t.Helper()
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	c, err := d.Dial(context.Background(), "tcp", addr)
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// from is an envelope.
func from(t *testing.T, sender string, to ...string) smtpclient.Envelope {
	t.Helper()
	e := smtpclient.Envelope{From: path(t, sender)}
	for _, r := range to {
		e.To = append(e.To, smtpclient.Recipient{Path: path(t, r)})
	}
	return e
}

func path(t *testing.T, address string) smtp.Path {
	t.Helper()
	if address == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(address)
	check(t, err)
	return p
}

// send sends a message that must be accepted for all. LF becomes CRLF.
func send(t *testing.T, c *smtpclient.Conn, e smtpclient.Envelope, text string) {
	t.Helper()
	if r := offer(t, c, e, text); !r.Accepted() {
		t.Fatalf("not accepted: %v", replies(r))
	}
}

// offer sends a message.
func offer(t *testing.T, c *smtpclient.Conn, e smtpclient.Envelope, text string) *smtpclient.Result {
	t.Helper()
	r, err := c.Send(context.Background(), e, smtpclient.Bytes([]byte(crlf(text))))
	if r == nil {
		t.Fatal(err)
	}
	return r
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// replies are what the recipients of a message were told, a line for each.
func replies(r *smtpclient.Result) string {
	var b strings.Builder
	for i := range r.Recipients {
		o := &r.Recipients[i]
		b.WriteString("<" + o.To.String() + "> ")
		if o.Reply != nil {
			b.WriteString(o.Reply.Error())
		} else if o.Err != nil {
			b.WriteString(o.Err.Error())
		}
		b.WriteString("\n")
	}
	return b.String()
}
