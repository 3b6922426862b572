//go:build linux

// Package warden runs a server, however many processes it becomes, and ends
// all of them.
//
// A mail server starts processes that start processes; some detach and lose
// their parent. So each server gets a warden: this program started once more, to
// which the kernel hands every orphan below it. The warden waits for each, so
// that nothing that was used is forgotten (proc.Used of the warden), and it ends
// what it looks after, by process id, as soon as its standard input ends: also
// when the program that measures is killed.
//
// A program that is to measure calls Main first of all.
package warden

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/bench/internal/proc"
)

// word on the command line makes this program a warden.
const word = "warden-of-a-server"

// Order says what to run.
type Order struct {
	Command []string
	Env     []string // besides the environment of this program
	Log     string   // file that gets what the server prints

	// Mounts are made before the server starts, for it and those below it alone.
	// They need root.
	Mounts []Mount
}

// Mount puts something over a directory or a file.
type Mount struct {
	Over string

	// From is a directory or file to be seen there. Without it, Layers are seen
	// through each other, the first on top, and what is there already below.
	From   string
	Layers []string

	// Scratch is an empty directory that takes what is written to Layers.
	Scratch string
}

// Server is one that runs.
type Server struct {
	warden *exec.Cmd
	main   *os.Process
	rein   io.Closer // the standard input of the warden
	ended  chan struct{}
	status error
}

// Start starts a warden, which starts the server. The caller must call Stop.
func Start(o Order) (*Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, word)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt from the keyboard is ours to handle
	if len(o.Mounts) > 0 {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a warden: %w", err)
	}
	s := &Server{warden: cmd, rein: in, ended: make(chan struct{})}
	s.main, err = told(in, order, out)
	go func() {
		defer close(s.ended)
		_, _ = io.Copy(io.Discard, out)
		s.status = cmd.Wait()
	}()
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s did not start; %s may say why: %w", o.Command[0], o.Log, errors.Join(s.status, err))
	}
	return s, nil
}

// told gives the warden its order, and returns the process that it started.
func told(in io.Writer, order []byte, out io.Reader) (*os.Process, error) {
	if _, err := in.Write(append(order, '\n')); err != nil {
		return nil, err
	}
	var pid int
	if _, err := fmt.Fscanf(out, "%d\n", &pid); err != nil {
		return nil, err
	}
	if !one(pid) {
		return nil, fmt.Errorf("%d is not a process", pid)
	}
	return os.FindProcess(pid)
}

// one tells whether pid, given to kill(2), is one process other than the first:
// 0 and the negative ones are groups, -1 is everybody.
func one(pid int) bool { return pid > 1 }

// patience is how long a server may take to end before it is killed.
const patience = 20 * time.Second

// Stop has the server end, and returns when none of its processes is left. It may
// be called twice.
func (s *Server) Stop() {
	_ = s.rein.Close()
	select {
	case <-s.ended:
	case <-time.After(2 * patience): // the warden itself hangs
		tree, _ := proc.Below(s.warden.Process.Pid)
		_ = s.warden.Process.Kill()
		signalEach(tree, syscall.SIGKILL)
		<-s.ended
	}
}

// Ended is closed when no process of the server is left.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Signal sends a signal to the command itself.
func (s *Server) Signal(sig os.Signal) error { return s.main.Signal(sig) }

// Used is the CPU time of all processes of the server, those that have ended
// included.
func (s *Server) Used() (time.Duration, error) { return proc.Used(s.warden.Process.Pid) }

// Memory is that of all processes of the server.
func (s *Server) Memory() (proc.Memory, error) { return proc.MemoryBelow(s.warden.Process.Pid) }

// Main makes this process a warden if it was started as one, and does not
// return then.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != word {
		return
	}
	if err := keepWatch(); err != nil {
		fmt.Fprintln(os.Stderr, "warden:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func keepWatch() error {
	// Who started us may be gone when we say what we started. That is no reason to
	// end: the server is still to be ended.
	signal.Ignore(syscall.SIGPIPE)
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o Order
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	if err := adoptOrphans(); err != nil {
		return err
	}
	for _, m := range o.Mounts {
		if err := m.make(); err != nil {
			return err
		}
	}
	server, err := start(o)
	if err != nil {
		return err
	}
	fmt.Println(server.Pid)
	mainEnded, allEnded := make(chan struct{}), make(chan struct{})
	go waitForAll(server.Pid, mainEnded, allEnded)
	told := make(chan struct{})
	go func() {
		defer close(told)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-told:
	case <-mainEnded:
	case <-allEnded:
	}
	endTree(server, mainEnded, allEnded)
	return nil
}

func adoptOrphans() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER, see prctl(2)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("adopt orphans: %w", errno)
	}
	return nil
}

func (m Mount) make() error {
	if m.From != "" {
		if err := syscall.Mount(m.From, m.Over, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("show %s at %s: %w", m.From, m.Over, err)
		}
		return nil
	}
	top, work := m.Scratch+"/top", m.Scratch+"/work"
	if err := errors.Join(os.MkdirAll(top, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	options := "lowerdir=" + strings.Join(append(m.Layers, m.Over), ":") + ",upperdir=" + top + ",workdir=" + work
	if err := syscall.Mount("overlay", m.Over, "overlay", 0, options); err != nil {
		return fmt.Errorf("lay %s over %s: %w", strings.Join(m.Layers, ", "), m.Over, err)
	}
	return nil
}

// start starts the command and leaves the waiting to waitForAll.
func start(o Order) (*os.Process, error) {
	path, err := exec.LookPath(o.Command[0])
	if err != nil {
		return nil, err
	}
	log, err := os.Create(o.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	return os.StartProcess(path, o.Command, &os.ProcAttr{
		Env:   append(os.Environ(), o.Env...),
		Files: []*os.File{nothing, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// waitForAll waits for every child, born or adopted, until there is none.
func waitForAll(pid int, mainEnded, allEnded chan<- struct{}) {
	defer close(allEnded)
	for {
		ended, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return // ECHILD
		case ended == pid:
			close(mainEnded)
		}
	}
}

// endTree asks the command to end, then what is left, then kills.
func endTree(server *os.Process, mainEnded, allEnded <-chan struct{}) {
	_ = server.Signal(syscall.SIGTERM) // by its handle, so that no other process can be meant
	select {
	case <-mainEnded:
	case <-time.After(patience):
	}
	for tries := 0; ; tries++ {
		sig := syscall.SIGTERM
		if tries > 20 {
			sig = syscall.SIGKILL
		}
		if tree, err := proc.Below(os.Getpid()); err == nil {
			signalEach(tree, sig)
		}
		select {
		case <-allEnded:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func signalEach(tree []proc.Process, sig syscall.Signal) {
	for _, p := range tree {
		if one(p.PID) {
			_ = syscall.Kill(p.PID, sig)
		}
	}
}
