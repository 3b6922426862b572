package run

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// running is a command that runs.
type running struct {
	data, addr string
	stop       context.CancelFunc
	ended      chan error
	log        *bytes.Buffer // read it once the running has ended
}

// open runs the command until stop is called or the test is at its end.
func open(t *testing.T) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	h := &running{data: t.TempDir(), stop: stop, ended: make(chan error, 1), log: new(bytes.Buffer)}
	said, out := io.Pipe()
	log, err := newLog(h.log, logText)
	if err != nil {
		t.Fatal(err)
	}
	run := &house{data: h.data, smtp: "127.0.0.1:0", http: noHTTP, errs: io.Discard, log: log}
	go func() { h.ended <- run.run(ctx, out) }()
	t.Cleanup(stop)
	first, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	h.addr = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(first)
	return h
}

// caller is a client that says and hears lines.
type caller struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (h *running) call(t *testing.T) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &caller{t, conn, bufio.NewReader(conn)}
	c.hear("220")
	return c
}

func (c *caller) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads a reply and wants it to have a code.
func (c *caller) hear(code string) {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code) {
			c.t.Fatalf("heard %q, %v; want %s", line, err, code)
		}
		if line[3] == ' ' {
			return
		}
	}
}

// begin gets as far as the text of a message.
func (c *caller) begin() {
	c.t.Helper()
	for _, step := range []struct{ line, code string }{
		{"HELO a.example", "250"}, {"MAIL FROM:<a@b.example>", "250"}, {"RCPT TO:<c@d.example>", "250"}, {"DATA", "354"},
	} {
		c.say("%s\r\n", step.line)
		c.hear(step.code)
	}
}

func (h *running) messages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(h.data, "inbox", "*", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The end of the program: who waits is told 421, who is sending is let finish,
// who comes late is not let in.
func TestGracefulEnd(t *testing.T) {
	h := open(t)
	idle, sending := h.call(t), h.call(t)
	sending.begin()
	sending.say("Subject: last\r\n")
	h.stop()
	idle.hear("421")
	if _, err := idle.in.ReadByte(); err == nil {
		t.Error("the idle session goes on after 421")
	}
	if late, err := net.Dial("tcp", h.addr); err == nil {
		late.Close()
		t.Error("a caller was let in after the end began")
	}
	sending.say("\r\nwords\r\n.\r\n")
	sending.hear("250")
	sending.hear("421")
	if err := <-h.ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
	if got := h.messages(t); len(got) != 1 {
		t.Errorf("kept are %q, want the last message", got)
	}
	if !strings.Contains(h.log.String(), "subject=last") {
		t.Errorf("the log does not tell of the last message: %s", h.log)
	}
}

// A connection that is cut leaves nothing, and the next message is kept.
func TestCutInTheText(t *testing.T) {
	h := open(t)
	cut := h.call(t)
	cut.begin()
	cut.say("Subject: half\r\n")
	cut.Close()
	whole := h.call(t)
	whole.begin()
	whole.say("Subject: whole\r\n\r\n.\r\n")
	whole.hear("250")
	h.stop()
	<-h.ended
	got := h.messages(t)
	if len(got) != 1 {
		t.Fatalf("kept are %q, want one message", got)
	}
	if text, _ := os.ReadFile(got[0]); !bytes.Contains(text, []byte("Subject: whole")) {
		t.Errorf("kept is %q", text)
	}
}

// Without a disk there is no 250, and the program lives on.
func TestDiskFault(t *testing.T) {
	h := open(t)
	path := filepath.Join(h.data, "inbox")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	c := h.call(t)
	c.begin()
	c.say("Subject: no room\r\n\r\n.\r\n")
	c.hear("451")
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	c.begin()
	c.say("Subject: room\r\n\r\n.\r\n")
	c.hear("250")
	h.stop()
	<-h.ended
	if !strings.Contains(h.log.String(), "no such file") {
		t.Errorf("the log does not say what was wrong: %s", h.log)
	}
	if got := h.messages(t); len(got) != 1 {
		t.Errorf("kept are %q, want one message", got)
	}
}

// An address that others can reach deserves a word.
func TestGreeting(t *testing.T) {
	for addr, want := range map[string][2]bool{
		"127.0.0.1:2525": {false, false}, "127.0.0.1:2526": {true, false}, "192.0.2.1:25": {true, true}, "0.0.0.0:25": {true, true},
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := tellNewcomer(&out, tcp, "d/inbox", "http://127.0.0.1:8025"); err != nil {
			t.Fatal(err)
		}
		names := strings.Contains(out.String(), "--server "+addr)
		warns := strings.Contains(out.String(), "can fill this inbox")
		if names != want[0] || warns != want[1] {
			t.Errorf("on %s the greeting names the server: %v, warns: %v; want %v\n%s", addr, names, warns, want, &out)
		}
	}
}
