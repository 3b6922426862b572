// Package installed has tests run beside the program as users have it: as a process of
// its own, and the first "posthouse" that is found.
//
//	func TestMain(m *testing.M) { os.Exit(installed.Run(m)) }
package installed

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Run builds the program into a folder that goes with the tests, puts that folder at the
// front of PATH, and runs the tests. It returns the status to exit with. Flags are for
// "go build", beside its own.
func Run(m *testing.M, flags ...string) int {
	dir, err := os.MkdirTemp("", "installed")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir, flags)
	}
	if err == nil {
		err = os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// build has "go run" copy the program instead of running it: unlike "go build" it keeps what it has
// linked, so that of several packages with tests beside the same program one links it.
func build(dir string, flags []string) error {
	// Without what debuggers read it is linked in half the time.
	args := append([]string{"run", "-buildvcs=false", "-ldflags=-s -w", "-exec=cp"}, flags...)
	out, err := exec.Command("go", append(args, "github.com/posthouse/posthouse/cmd/posthouse", dir)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go run -exec=cp: %w\n%s", err, out)
	}
	return nil
}
