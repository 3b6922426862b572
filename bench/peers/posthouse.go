//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/bench/internal/warden"
)

// posthouse is our own server, built from the source beside this module.
type posthouse struct {
	program string
	root    string // of the source
	configs string // directory of the files MODE.hcl
}

// before is another build of posthouse, which is measured in turn with this one.
type before struct{ posthouse }

func (before) name() string { return "before" }

func (p before) version(ctx context.Context) (string, error) {
	version, err := output(ctx, p.program, "version")
	return version + ", " + p.program, err
}

// buildPosthouse builds the program into the folder bin of dir. Its configurations
// are those of this module, unless configs names another folder.
func buildPosthouse(ctx context.Context, dir, configs string) (posthouse, error) {
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/posthouse/posthouse")
	if err != nil {
		return posthouse{}, fmt.Errorf("run this in the folder bench: %w", err)
	}
	p := posthouse{program: filepath.Join(dir, "bin", "posthouse"), root: root, configs: configs}
	if configs == "" {
		p.configs = filepath.Join(root, "bench")
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", p.program, "./cmd/posthouse")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	if err := cmd.Run(); err != nil {
		return posthouse{}, fmt.Errorf("build posthouse: %w", err)
	}
	return p, nil
}

func (p posthouse) name() string    { return "posthouse" }
func (p posthouse) knows(mode) bool { return true }
func (p posthouse) crowd() int      { return 2000 }

func (p posthouse) version(ctx context.Context) (string, error) {
	help, err := exec.CommandContext(ctx, p.program, "run", "--help").Output()
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(help), "--config") {
		return "", fmt.Errorf("its run has no --config yet")
	}
	version, err := output(ctx, p.program, "version")
	if revision, failed := output(ctx, "git", "-C", p.root, "describe", "--always", "--dirty"); failed == nil {
		version += ", revision " + revision
	}
	return version, err
}

func (p posthouse) order(at place) (warden.Order, error) {
	return warden.Order{
		Command: []string{
			p.program, "run",
			"--config", filepath.Join(p.configs, string(at.mode.alone())+".hcl"),
			"--data", at.dir,
			"--smtp", at.addr(),
		},
		Env: []string{"PORT=" + strconv.Itoa(at.port), "SINK_PORT=" + strconv.Itoa(at.sinkPort), "CHAIN=" + at.chain(), "KEY=" + at.key()},
		Log: at.dir + ".output",
	}, nil
}
