package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Signals, and files in the directory of a house.
const (
	hangUp    = syscall.SIGHUP
	terminate = syscall.SIGTERM

	configFile = "posthouse.hcl"
	saidFile   = "said"
)

// living is one life of the program with a configuration.
type living struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	at     map[string]string // addresses, by the name of the listener
	ended  chan struct{}
	err    error // how, once it has ended
}

// startHouse starts the program on the configuration in a directory, by way of
// another program if wrap is given. What it says goes into a file there.
func startHouse(t *testing.T, dir string, wrap ...string) *living {
	t.Helper()
	args := append(wrap, "posthouse", "run", "--config", filepath.Join(dir, configFile), "--json", "--log", "none")
	h := &living{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	said, err := os.OpenFile(filepath.Join(dir, saidFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	h.cmd.Stderr = said
	h.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h.cmd.Stdout, h.stdout = in, bufio.NewReader(out)
	if err := errors.Join(h.cmd.Start(), in.Close()); err != nil {
		t.Fatal(err)
	}
	go func() {
		h.err = h.cmd.Wait()
		out.Close()
		close(h.ended)
	}()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // of no effect once it has ended
		<-h.ended
	})
	return h
}

// ready waits until the house says where it listens.
func (h *living) ready(t *testing.T) {
	t.Helper()
	var greeting struct {
		Listen []struct{ Name, Address string }
	}
	line, err := h.stdout.ReadBytes('\n')
	if err = errors.Join(err, json.Unmarshal(line, &greeting)); err != nil {
		t.Fatalf("posthouse run said %q: %v", line, err)
	}
	h.at = map[string]string{}
	for _, l := range greeting.Listen {
		h.at[l.Name] = l.Address
	}
}

func (h *living) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		t.Errorf("the house was gone before %v: %v", s, err)
	}
}

// kill ends the house as a fall of the machine does, but that what was written is there.
func (h *living) kill(t *testing.T) {
	t.Helper()
	_ = h.cmd.Process.Kill() // it may have ended by itself, after SIGTERM
	if err := h.wait(); err != nil && err.Error() != "signal: killed" {
		t.Errorf("the house ended by itself, with %v", err)
	}
}

func (h *living) wait() error {
	<-h.ended
	return h.err
}
