package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"posthouse": main, "sendmail": main, "mailq": main, "newaliases": main, "moody": moody, "idp": idp,
	})
}

// TestScripts runs the program as its users do; each script is a story. Besides
// the words of testscript there are
//
//	status N program args...     the program ends with status N
//	start NAME program args...   a server runs; $NAME is its address
//	ended NAME                   it gets SIGTERM and ends with status 0;
//	                             what it printed is in NAME.out and NAME.err
//	finished NAME                it ends by itself with status 0
//	crashed NAME                 it is killed at once (SIGKILL)
//	hangup NAME                  it gets SIGHUP
//	shows FILE REGEXP            FILE is waited for until a line of it matches
//	kept DIR                     the messages in DIR/inbox are copied to
//	                             kept.1, kept.2 ... in the order in which they came,
//	                             without the CR before each LF
//	certificate F WHO    F.pem is a certificate of a host or an address, F.key its key
//	isjson FILE                  each line of FILE (or stdout) is a JSON object
//	nowhere CANARIES FILE...     no line of CANARIES is in a file, or below a directory, in any form
//
// and the conditions [missing:program] and [missing:npm:package] (npm ci in testdata/npm
// installs those), which are errors instead if POSTHOUSE_TEST_ALL is set: where everything is
// tested, nothing may be missing.
func TestScripts(t *testing.T) { testscript.Run(t, scripts("testdata/script", nil)) }

// scripts are those of a directory, in an environment that has more than the usual.
func scripts(dir string, more map[string]string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Values[servers{}] = map[string]*server{}
			// The race detector has each program wait a second at its end, for
			// goroutines that may still race.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			for name, value := range more {
				env.Setenv(name, value)
			}
			modules, err := filepath.Abs(npmModules)
			env.Setenv("NODE_PATH", modules)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":   expectStatus,
			"start":    start,
			"ended":    ended,
			"finished": finished,
			"crashed":  crashed,
			"hangup":   hangup,
			"shows":    shows,
			"until":    until,
			"kept":     kept,
			"isjson":   isJSON,
			"nowhere":  nowhere,

			"certificate": certificate,
		},
		Condition: condition,
	}
}

func expectStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case err == nil && want != 0:
		ts.Fatalf("ended with status 0, want %d", want)
	case errors.As(err, &exit) && exit.ExitCode() != want:
		ts.Fatalf("ended with status %d, want %d", exit.ExitCode(), want)
	case err != nil && exit == nil:
		ts.Fatalf("%v", err)
	}
}

// servers is the key under which a script keeps those that it started.
type servers struct{}

type server struct {
	cmd    *exec.Cmd
	copied sync.WaitGroup // of the rest of its output
}

// address is what a server names in its first line of output.
var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME program args...")
	}
	name := args[0]
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	s := &server{cmd: exec.Command(path, args[2:]...)}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = append(os.Environ(), "GORACE="+ts.Getenv("GORACE"))
	errFile, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errFile.Close()
	s.cmd.Stderr = errFile
	outFile, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	stdout, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Defer(func() { _ = s.cmd.Process.Kill() }) // of no effect once stopped

	out := bufio.NewReader(stdout)
	first, err := out.ReadString('\n')
	if addr := address.FindString(first); addr != "" {
		ts.Setenv(name, addr)
	} else {
		said, _ := os.ReadFile(errFile.Name())
		ts.Fatalf("%s named no address: %q, %v; it said %s", name, first, err, said)
	}
	s.copied.Go(func() {
		defer outFile.Close()
		_, _ = io.WriteString(outFile, first)
		_, _ = io.Copy(outFile, out)
	})
	ts.Value(servers{}).(map[string]*server)[name] = s
}

func ended(ts *testscript.TestScript, neg bool, args []string) {
	s := started(ts, neg, args)
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	s.copied.Wait()
	ts.Check(s.cmd.Wait())
}

func hangup(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(started(ts, neg, args).cmd.Process.Signal(syscall.SIGHUP))
}

// patience is for how long a script waits for what must come.
const patience = 2 * time.Minute

func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shows FILE REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && want.Match(text) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not show %q: %s", args[0], args[1], text)
		}
	}
}

func crashed(ts *testscript.TestScript, neg bool, args []string) {
	s := started(ts, neg, args)
	ts.Check(s.cmd.Process.Kill())
	s.copied.Wait()
	_ = s.cmd.Wait() // tells that it was killed
}

// npmModules is where npm puts packages.
const npmModules = "testdata/npm/node_modules"

func condition(cond string) (bool, error) {
	name, ok := strings.CutPrefix(cond, "missing:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	_, err := exec.LookPath(name)
	if module, is := strings.CutPrefix(name, "npm:"); is {
		_, err = os.Stat(filepath.Join(npmModules, module))
	}
	if err != nil && os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		return false, fmt.Errorf("%s is not installed, and POSTHOUSE_TEST_ALL is set", name)
	}
	return err != nil, nil
}

func finished(ts *testscript.TestScript, neg bool, args []string) {
	s := started(ts, neg, args)
	s.copied.Wait()
	ts.Check(s.cmd.Wait())
}

func started(ts *testscript.TestScript, neg bool, args []string) *server {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended, finished or crashed NAME")
	}
	s := ts.Value(servers{}).(map[string]*server)[args[0]]
	if s == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	return s
}

func kept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kept DIR")
	}
	found, err := filepath.Glob(ts.MkAbs(filepath.Join(args[0], "inbox", "*", "*.eml")))
	ts.Check(err)
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for i, path := range found {
		text, err := os.ReadFile(path)
		ts.Check(err)
		if strings.Count(string(text), "\n") != strings.Count(string(text), "\r\n") {
			ts.Fatalf("%s has a line that does not end with CRLF", path)
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		name := "kept." + strconv.Itoa(i+1)
		ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o600))
	}
}

func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: isjson FILE")
	}
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for line := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			ts.Fatalf("%s: %v: %s", args[0], err, line)
		}
	}
}
