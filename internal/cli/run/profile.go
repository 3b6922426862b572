package run

import (
	"os"
	"runtime/pprof"

	"github.com/posthouse/posthouse/internal/cli"
)

// startProfile writes a profile of processor time to a file until stop is called. The
// name "" is no file.
func startProfile(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, cli.Fail(cli.CantCreate, "--profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, cli.Fail(cli.Software, "--profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
