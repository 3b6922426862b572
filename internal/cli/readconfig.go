package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// ReadConfig reads a configuration. What is wrong with its settings is an error of
// type [config.Problems]; every other error knows the status to end with.
func ReadConfig(name string) (*config.Config, error) {
	text, err := readPlain(name)
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err // it would name the file again
		}
		return nil, Fail(NoInput, "%s: %w (posthouse config example mx prints one to begin with)", name, err)
	}
	return config.Parse(name, text, config.Options{Env: os.LookupEnv})
}

func readPlain(name string) ([]byte, error) {
	f, err := plainfile.Disk{}.Open(name)
	if err != nil {
		return nil, err
	}
	return plainfile.Read(f, config.MaxFile)
}

// TellProblems writes what is wrong with a configuration for people, each problem with
// the line that it is in.
func TellProblems(w io.Writer, name string, problems config.Problems) error {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s\n%s", Printable(p.Error()), p.Excerpt())
	}
	fmt.Fprintf(&b, "%s: %s\n", Printable(name), Count(len(problems), "problem"))
	_, err := io.WriteString(w, b.String())
	return err
}
