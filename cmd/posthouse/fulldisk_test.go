package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestFullDisk has a house on a small disk of its own, which fills up. While it is nearly
// full no mail is taken (452, before the data) and what is there is delivered; when there
// is room again mail is taken by itself. When it is full to the last octet, a message that was
// begun gets no 250, or is durable all the same; and the house lives on until it is killed.
// The test needs the right to mount.
func TestFullDisk(t *testing.T) {
	if os.Getenv("POSTHOUSE_TEST_ALL") == "" {
		t.Skip("it takes ten seconds: POSTHOUSE_TEST_ALL is not set")
	}
	d := newDisk(t)
	h := startHouse(t, d.dir, d.enter...)
	h.ready(t)

	promised := []string{d.deliver(t, h, "before", 0), d.deliver(t, h, "later", 2*time.Second)}
	d.fill(t, 8<<20)
	if r := d.send(t, h, "nearly", 0); r.Code != smtp.CodeInsufficientStorage {
		t.Errorf("the disk is nearly full, and a message was answered %q", r)
	}
	d.await(t, "later is delivered while no mail is taken", func() bool { return d.has("later") })
	d.empty(t)
	d.await(t, "mail is taken again", func() bool { return d.send(t, h, "again", 0).Code == smtp.CodeOK })
	promised = append(promised, "again")

	if r := d.overflow(t, h, "large", 1<<20); r.Code.Positive() {
		t.Errorf("the disk was full, and a message was answered %q", r)
	}
	d.empty(t)
	d.await(t, "mail is taken after the disk was full", func() bool { return d.send(t, h, "full", 0).Code == smtp.CodeOK })
	promised = append(promised, "full")
	if r := d.overflow(t, h, "small", 32<<10); r.Code.Positive() { // the log has its room in advance
		promised = append(promised, "small")
	}
	h.kill(t)
	d.empty(t)
	h = startHouse(t, d.dir, d.enter...)
	h.ready(t)
	promised = append(promised, d.deliver(t, h, "after", 0))
	for _, name := range promised {
		d.await(t, name+" is there", func() bool { return d.has(name) })
	}
	h.signal(t, terminate)
	if err := h.wait(); err != nil {
		t.Error(err)
	}
}

// disk is a small one, which only those see who enter its namespace.
type disk struct {
	dir   string
	data  string   // as seen from here
	enter []string // the command that runs another one where the disk is
}

const configOfDisk = `
hostname = "house.example"
data     = "%s/disk/data"

listen "smtp" {
  address = "127.0.0.1:0"
  tls     = "off"
}
spool { reserve = "16MiB" }
domain "here.example" { mailboxes = "li" }
`

// newDisk mounts a disk of 192 MiB in a namespace of its own, which ends with the test.
func newDisk(t *testing.T) *disk {
	dir := t.TempDir()
	config := fmt.Sprintf(configOfDisk, dir)
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600), os.Mkdir(filepath.Join(dir, "disk"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs -o size=192m posthouse "$0/disk" && echo mounted && exec cat`
	apart, enter := []string{"unshare", "--mount"}, []string{"nsenter", "--mount"}
	if os.Geteuid() != 0 {
		apart, enter = append(apart, "--map-root-user"), append(enter, "--user", "--preserve-credentials")
	}
	cmd := exec.Command(apart[0], append(apart[1:], "sh", "-c", script, dir)...)
	stdin, ierr := cmd.StdinPipe()
	stdout, oerr := cmd.StdoutPipe()
	var said strings.Builder
	cmd.Stderr = &said
	if err := errors.Join(ierr, oerr, cmd.Start()); err != nil {
		t.Skipf("no disk can be mounted for the test: %v", err)
	}
	word := make([]byte, len("mounted"))
	if _, err := io.ReadFull(stdout, word); err != nil {
		_ = cmd.Wait()
		t.Skipf("no disk can be mounted for the test: %s", said.String())
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	pid := fmt.Sprint(cmd.Process.Pid)
	return &disk{
		dir: dir, data: filepath.Join("/proc", pid, "root", dir, "disk", "data"),
		enter: append(enter, "--target", pid, "--"),
	}
}

// deliver sends a message that must be taken, and returns its name.
func (d *disk) deliver(t *testing.T, h *living, name string, hold time.Duration) string {
	t.Helper()
	if r := d.send(t, h, name, hold); r.Code != smtp.CodeOK {
		t.Errorf("%s was answered %q", name, r)
	}
	return name
}

// send sends a message, and returns the answer that decided.
func (d *disk) send(t *testing.T, h *living, name string, hold time.Duration) *smtp.Reply {
	t.Helper()
	text := "Subject: " + name + "\r\n\r\n" + string(loremOfCrash[:4096])
	env := smtpclient.Envelope{From: sender, Mail: smtp.MailParams{HoldFor: hold}}
	return d.sendBody(t, h, env, smtpclient.Bytes([]byte(text)))
}

func (d *disk) sendBody(t *testing.T, h *living, env smtpclient.Envelope, body smtpclient.Body) *smtp.Reply {
	t.Helper()
	conn, err := doors[0].dial(t, h.at["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	env.To = []smtpclient.Recipient{{Path: mailbox("li@here.example")}}
	r, err := conn.Send(t.Context(), env, body)
	if r.Recipients[0].Reply == nil {
		return smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 2}, "No answer: %v", err)
	}
	return r.Recipients[0].Reply
}

// has reports whether a message is in the mailbox.
func (d *disk) has(name string) bool {
	files, _ := filepath.Glob(filepath.Join(d.data, "mail", "here.example", "li", "new", "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), "Subject: "+name+"\r\n") && strings.HasSuffix(string(text), string(loremOfCrash[:4096])) {
			return true
		}
	}
	return false
}

// await waits until something holds that must come to hold.
func (d *disk) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

func (d *disk) filler() string { return filepath.Join(d.data, "..", "filler") }

func (d *disk) free(t *testing.T) int64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(d.filler()), &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// fill lets something else use the disk until there are so many octets left.
func (d *disk) fill(t *testing.T, left int64) {
	t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if more := d.free(t) - left; more > 0 {
		if _, err := f.Write(make([]byte, more)); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond) // the house looks each 200 ms at most
}

func (d *disk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
}

// overflow begins a message while there is room, and ends it when there is none. It
// returns the answer.
func (d *disk) overflow(t *testing.T, h *living, name string, size int) *smtp.Reply {
	t.Helper()
	text, writer := io.Pipe()
	answer := make(chan *smtp.Reply)
	whole := "Subject: " + name + "\r\n\r\n" + string(loremOfCrash[:size]) + string(loremOfCrash[:4096])
	go func() {
		env := smtpclient.Envelope{From: sender, Mail: smtp.MailParams{Body: smtp.Body8Bit}}
		answer <- d.sendBody(t, h, env, slowly{text, int64(len(whole))})
	}()
	write := func(s string) {
		if _, err := io.WriteString(writer, s); err != nil {
			t.Error(err)
		}
	}
	write(whole[:size/2])
	for full := 0; full < 12; { // the ballast is given up meanwhile
		d.fill(t, 0)
		if full++; d.free(t) > 0 {
			full = 0
		}
	}
	write(whole[size/2:])
	writer.Close()
	return <-answer
}
