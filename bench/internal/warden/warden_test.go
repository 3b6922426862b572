//go:build linux

package warden

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this test program be the warden that it starts.
func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// TestTheWholeTreeEnds starts a shell whose child has lost its parent and does
// not listen to SIGTERM's politeness alone: when Stop returns, it is gone.
func TestTheWholeTreeEnds(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s, err := Start(Order{
		Command: []string{"sh", "-c", `(setsid sleep 600 & echo $!) ; echo "$GREETING"; exec sleep 600`},
		Env:     []string{"GREETING=hello"},
		Log:     log,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	said := waitForLines(t, log, 2)
	if said[1] != "hello" {
		t.Errorf("the command's environment gave %q", said[1])
	}
	if m, err := s.Memory(); err != nil || m.Shared <= 0 {
		t.Errorf("the memory of two processes is %+v, %v", m, err)
	}
	s.Stop()
	if _, err := os.Stat("/proc/" + said[0]); err == nil {
		t.Errorf("the orphan, process %s, lives", said[0])
	}
	if err := s.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the command lives: %v", err)
	}
}

// TestOne: what kill(2) takes for more than one process is never given to it.
// Nothing is signalled here, so that a fault in it hurts nobody.
func TestOne(t *testing.T) {
	for pid, want := range map[int]bool{-42: false, -1: false, 0: false, 1: false, 2: true, 42: true} {
		if one(pid) != want {
			t.Errorf("process %d may be signalled: %v", pid, !want)
		}
	}
	for _, said := range []string{"-1\n", "0\n", "1\n", "x\n", ""} {
		if p, err := told(io.Discard, nil, strings.NewReader(said)); err == nil {
			t.Errorf("a warden that says %q has started %v", said, p)
		}
	}
}

// TestWhatEndedIsCounted: the CPU of a process that has ended, an orphan, is not lost.
func TestWhatEndedIsCounted(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	work := `(setsid sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done' &) ; exec sleep 600`
	s, err := Start(Order{Command: []string{"sh", "-c", work}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	waitForLines(t, log, 1)
	if used, err := s.Used(); err != nil || used < 20*time.Millisecond {
		t.Errorf("counting to 200,000 in a shell used %v, %v", used, err)
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	stderr := os.Stderr
	os.Stderr, _ = os.Open(os.DevNull) // the warden's complaint
	defer func() { os.Stderr = stderr }()
	if _, err := Start(Order{Command: []string{"no-such-program"}, Log: filepath.Join(t.TempDir(), "log")}); err == nil {
		t.Fatal("it started")
	}
}

func TestACommandThatEndsByItself(t *testing.T) {
	s, err := Start(Order{Command: []string{"true"}, Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Ended():
	case <-time.After(10 * time.Second):
		t.Error("nobody noticed")
	}
	s.Stop()
}

// TestAWardenOutlivesNobody: when the program that measures is killed, its
// server ends.
func TestAWardenOutlivesNobody(t *testing.T) {
	if os.Getenv("WARDEN_TEST_LOG") != "" {
		if _, err := Start(Order{Command: []string{"sh", "-c", "echo $$; exec sleep 600"}, Log: os.Getenv("WARDEN_TEST_LOG")}); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	log := filepath.Join(t.TempDir(), "log")
	measuring := exec.Command(os.Args[0], "-test.run=TestAWardenOutlivesNobody")
	measuring.Env = append(os.Environ(), "WARDEN_TEST_LOG="+log)
	if err := measuring.Start(); err != nil {
		t.Fatal(err)
	}
	pid := waitForLines(t, log, 1)[0]
	_ = measuring.Process.Kill()
	_ = measuring.Wait()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat("/proc/" + pid); err != nil {
			return
		}
	}
	t.Error("the server lives on")
}

// TestAWardenIsNotHeard: who started it is gone before it says what it started.
func TestAWardenIsNotHeard(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	order, err := json.Marshal(Order{Command: []string{"sh", "-c", "echo $$; exec sleep 600"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	heard, said, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = heard.Close()
	cmd := exec.Command(os.Args[0], word)
	cmd.Stdin = bytes.NewReader(append(order, '\n'))
	cmd.Stdout = said
	if err := cmd.Run(); err != nil {
		t.Errorf("the warden: %v", err)
	}
	_ = said.Close()
	if text, _ := os.ReadFile(log); len(text) > 0 {
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(text))); err == nil {
			t.Errorf("process %s lives on", text)
		}
	}
}

// waitForLines polls a file that another process writes: there is nothing to be
// told by.
func waitForLines(t *testing.T, path string, n int) []string {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(path)
		if strings.Count(string(text), "\n") >= n {
			return strings.Split(string(text), "\n")
		}
	}
	t.Fatalf("%s has not %d lines", path, n)
	return nil
}
