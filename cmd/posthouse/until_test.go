package main

import (
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// until runs a program again and again, until what it prints fits an expression.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP program args...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		cmd := exec.Command(path, args[2:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), os.Environ()
		out, _ := cmd.CombinedOutput() // a status is not what is waited for
		if want.Match(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v does not print %q: %s", args[1:], args[0], out)
		}
	}
}
