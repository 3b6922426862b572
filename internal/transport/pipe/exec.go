package pipe

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Command is a program to be run, without a shell.
type Command struct {
	Argv []string
	Dir  string
	Env  []string // all of it
	// Input is what it reads. When that cannot be read to its end, the program must
	// not get as far as an end, and the error is that of the reader.
	Input io.Reader
	// Output takes what it prints on standard output; nil: that goes into the Status.
	Output io.Writer
}

// Status is what came of a program.
type Status struct {
	Exit   int
	Signal string // that ended it; "" if none did
	// Output is the first of what it printed, on standard output (unless Command.Output
	// took that) and standard error, at most MaxOutput octets.
	Output []byte
}

// MaxOutput is how much of a program's output is kept.
const MaxOutput = 4096

// text makes one line of the output: its lines with "; " between.
func (s Status) text() string {
	var lines []string
	for l := range strings.Lines(string(s.Output[:min(len(s.Output), MaxOutput)])) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return strings.ToValidUTF8(strings.Join(lines, "; "), "?")
}

// Run runs a command on the system. When ctx ends, or the program does, all of its
// process group is killed.
func Run(ctx context.Context, c Command) (Status, error) {
	var out bounded
	p := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	p.Dir, p.Env, p.Stdout, p.Stderr = c.Dir, c.Env, &out, &out
	if c.Output != nil {
		p.Stdout = c.Output
	}
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-p.Process.Pid, syscall.SIGKILL) }
	p.Cancel = kill
	p.WaitDelay = time.Second // for pipes that a child holds which left the group
	stdin, err := p.StdinPipe()
	if err != nil {
		return Status{}, err
	}
	if err := p.Start(); err != nil {
		return Status{}, err
	}
	fed := make(chan error, 1)
	go func() { fed <- feed(stdin, c.Input, kill) }()
	_ = p.Wait() // the status tells more
	_ = kill()   // of children that it left behind; its id is not given again so soon
	return statusOf(p, &out), <-fed
}

// feed writes the text. If it cannot be read to its end the program is killed before
// it could take what it has for all.
func feed(stdin io.WriteCloser, text io.Reader, kill func() error) error {
	in := &watched{r: text}
	_, _ = io.Copy(stdin, in) // a program need not read all
	if in.fault != nil {
		_ = kill()
	}
	_ = stdin.Close()
	return in.fault
}

func statusOf(p *exec.Cmd, out *bounded) Status {
	s := Status{Exit: p.ProcessState.ExitCode(), Output: out.octets}
	if w, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		s.Signal = w.Signal().String()
	}
	return s
}

// watched is a text that remembers why it could not be read.
type watched struct {
	r     io.Reader
	fault error
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.fault = err
	}
	return n, err
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ octets []byte }

// Write implements [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	b.octets = append(b.octets, p[:min(len(p), MaxOutput-len(b.octets))]...)
	return len(p), nil
}
