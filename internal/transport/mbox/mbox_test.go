package mbox_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/mbox"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// into gives the recipients of a delivery a file, as an alias does.
type into struct {
	*mbox.Transport
	file string
}

func (x into) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	for i := range d.Envelope.To {
		d.Envelope.To[i].Into = x.file
	}
	return x.Transport.Deliver(ctx, d)
}

func TestSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		x := into{mbox.New(mbox.Options{}), filepath.Join(t.TempDir(), "archive")}
		return transporttest.Subject{Transport: x, Domain: "b.test", Accepted: mail.Delivered}
	})
}

// send delivers a text into a file, and tells what came of it.
func send(t *testing.T, x *mbox.Transport, file string, text mail.Content) string {
	t.Helper()
	e := transporttest.Envelope(t, "robot@b.test")
	d := transport.Delivery{Envelope: e, Recipients: []int{0}, Content: text}
	outcomes := into{x, file}.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	return strings.ReplaceAll(transporttest.Tell(outcomes), filepath.Dir(file), "DIR")
}

// holds reads a file, without the times in it.
func holds(t *testing.T, file string) string {
	t.Helper()
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(all)) {
		if rest, is := strings.CutPrefix(line, "From s@a.test "); is {
			if _, err := time.Parse(time.ANSIC, strings.TrimSuffix(rest, "\n")); err != nil {
				t.Error(err)
			}
			line = "From s@a.test NOW\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

const top = "From s@a.test NOW\nReturn-Path: <s@a.test>\nDelivered-To: robot@b.test\n"

// TestText: what would begin a message is quoted once more, line ends are those
// of Unix, and each message ends with an empty line.
func TestText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Subject: a\r\n\r\nFrom here\r\n", "Subject: a\n\n>From here\n\n"},
		{"\r\n>From\r\n>From \r\n>>>From x\r\n", "\n>From\n>>From \n>>>>From x\n\n"},
		{"\r\nFrom\r\nFro", "\nFrom\nFro\n\n"},
		{"\r\n From x\r\nfrom x\r\n> From x\r\n", "\n From x\nfrom x\n> From x\n\n"},
		{"\r\n>", "\n>\n\n"},
		{"\r\n\r\n", "\n\n\n"},
		{"", "\n"},
	} {
		for i, content := range []mail.Content{&transporttest.Text{Octets: c.text}, slowly{&transporttest.Text{Octets: c.text}}} {
			file := filepath.Join(t.TempDir(), "archive")
			got := send(t, mbox.New(mbox.Options{}), file, content)
			if !strings.HasPrefix(got, "0 delivered 250 2.0.0 Delivered into DIR/archive") {
				t.Error(got)
			}
			if got := holds(t, file); got != top+c.want {
				t.Errorf("%d: %q became\n%q, want\n%q", i, c.text, got, top+c.want)
			}
		}
	}
}

// slowly is a content that is read in octets.
type slowly struct{ mail.Content }

func (s slowly) Open() (io.ReadCloser, error) {
	r, err := s.Content.Open()
	return struct {
		io.Reader
		io.Closer
	}{iotest.OneByteReader(r), r}, err
}

// TestBehindWhatIsThere: what a crash has cut off is ended first.
func TestBehindWhatIsThere(t *testing.T) {
	for _, c := range []struct{ before, want string }{
		{"", ""},
		{"From x\n\nold\n\n", "From x\n\nold\n\n"},
		{"From x\n\nold\n", "From x\n\nold\n\n"},
		{"From x\n\ncut o", "From x\n\ncut o\n\n"},
		{"\n", "\n\n"},
	} {
		file := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(file, []byte(c.before), 0o640); err != nil {
			t.Fatal(err)
		}
		send(t, mbox.New(mbox.Options{}), file, &transporttest.Text{Octets: "\r\nnew\r\n"})
		if got := holds(t, file); got != c.want+top+"\nnew\n\n" {
			t.Errorf("behind %q:\n%s", c.before, got)
		}
	}
}

// TestCutOff: a text that cannot be read to its end leaves nothing.
func TestCutOff(t *testing.T) {
	long := strings.Repeat("a line of a long text\r\n", 20_000)
	for _, text := range []*transporttest.Text{
		{Octets: long, ReadErr: transporttest.ErrDisk},
		{Octets: long, Longer: 1},
		{Octets: long, Longer: -1},
	} {
		file := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(file, []byte("cut o"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := send(t, mbox.New(mbox.Options{}), file, text); !strings.HasPrefix(got, "0 deferred 451") {
			t.Error(got)
		}
		if got := holds(t, file); got != "cut o" {
			t.Errorf("%d octets are left", len(got))
		}
	}
}

// TestUnfit: places where no mail is put, and where it waits for none.
func TestUnfit(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/program", nil, 0o755),
		os.Symlink(dir+"/elsewhere", dir+"/link"),
		os.Mkdir(dir+"/folder", 0o700),
		syscall.Mkfifo(dir+"/fifo", 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	x := mbox.New(mbox.Options{})
	for _, c := range []struct{ name, want string }{
		{"program", "0 deferred 451 4.3.5 The file cannot be used: DIR/program: it is no plain file that nobody may execute, local\n"},
		{"link", "0 deferred 451 4.3.5 The file cannot be used: DIR/link is a symbolic link: it is no plain file that nobody may execute, local\n"},
		{"fifo", "0 deferred 451 4.3.5 The file cannot be used: DIR/fifo: it is no plain file that nobody may execute, local\n"},
		{"folder", "0 deferred 451 4.3.0 The file cannot be written: open DIR/folder: is a directory, local\n"},
		{"none/archive", "0 deferred 451 4.3.5 The file cannot be used: open DIR/archive: no such file or directory, local\n"},
	} {
		if got := send(t, x, filepath.Join(dir, c.name), &transporttest.Text{Octets: transporttest.Hello}); got != c.want {
			t.Errorf("%s:\n got %swant %s", c.name, got, c.want)
		}
	}
	if got := send(t, x, os.DevNull, &transporttest.Text{Octets: "x"}); !strings.HasPrefix(got, "0 discarded 250 2.0.0 Discarded by an alias") {
		t.Error(got)
	}
	if got := send(t, x, "/folder/", &transporttest.Text{Octets: "x"}); !strings.HasPrefix(got, "0 failed 550 5.3.5") && !strings.HasPrefix(got, "0 failed 554 5.3.5") {
		t.Error(got)
	}
	if _, err := os.Lstat(dir + "/elsewhere"); err == nil {
		t.Error("a link was followed")
	}
}

// TestLockedByAnother: another process holds the lock of fcntl, as a reader of
// mail does. We are one for ourselves: the test runs itself.
func TestLockedByAnother(t *testing.T) {
	if file := os.Getenv("MBOX_TO_LOCK"); file != "" {
		holdLock(file)
	}
	file := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := exec.Command(os.Args[0], "-test.run=^TestLockedByAnother$")
	other.Env = append(os.Environ(), "MBOX_TO_LOCK="+file)
	stdin, _ := other.StdinPipe()
	stdout, _ := other.StdoutPipe()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	got := send(t, mbox.New(mbox.Options{Wait: 10 * time.Millisecond}), file, &transporttest.Text{Octets: "x"})
	if want := "0 deferred 450 4.2.0 DIR/archive: another program has locked it for too long, local\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	stdin.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := send(t, mbox.New(mbox.Options{}), file, &transporttest.Text{Octets: "x"}); !strings.HasPrefix(got, "0 delivered") {
		t.Error(got)
	}
}

// holdLock locks a file until the end of the standard input.
func holdLock(file string) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err == nil {
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print("x")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
