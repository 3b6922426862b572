//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
	"github.com/posthouse/posthouse/internal/pgtest"
)

// cluster is posthouse on some nodes with one queue: a primary of PostgreSQL and a synchronous
// standby, all on this machine. What it uses is counted with the nodes.
type cluster struct {
	posthouse
	nodes int
}

// clusterWord on the command line makes this program whoever starts all of it.
const clusterWord = "cluster-of-nodes"

func (c cluster) name() string      { return "cluster-" + strconv.Itoa(c.nodes) }
func (c cluster) knows(m mode) bool { return m.shared() }
func (c cluster) doors() int        { return c.nodes }

func (c cluster) version(ctx context.Context) (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed (Debian: postgresql)")
	}
	database, err := output(ctx, slices.Max(found), "--version")
	if err != nil {
		return "", err
	}
	own, err := c.posthouse.version(ctx)
	return fmt.Sprintf("%s, nodes: %d, %s with a synchronous standby", own, c.nodes, database), err
}

func (c cluster) order(at place) (warden.Order, error) {
	self, err := os.Executable()
	command := []string{self, clusterWord, at.dir, c.program, filepath.Join(c.configs, string(at.mode)+".hcl")}
	return warden.Order{
		Command: append(command, at.doors()...),
		Env:     []string{"SINK_PORT=" + strconv.Itoa(at.sinkPort)},
		Log:     at.dir + ".output",
	}, err
}

// doors are the addresses of the nodes, one of the loopback for each.
func (p place) doors() []string {
	list := []string{p.addr()}
	for i := 2; i <= p.nodes; i++ {
		list = append(list, fmt.Sprintf("127.0.0.%d:%d", i, p.port))
	}
	return list
}

// serveCluster serves until SIGTERM: a database in dir, and a node at each of the doors. The first
// is opened last: who finds it open finds all.
func serveCluster(dir, program, config string, doors []string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var h hall
	defer h.end(&err)
	primary := pgtest.Start(&h, pgtest.Options{Below: dir, TCP: true, Synchronous: true, Settings: []string{"max_wal_size = 4GB"}})
	standby := primary.Standby(&h)
	primary.InStep(&h)
	primary.Exec(&h, "postgres", "CREATE DATABASE posthouse")
	database := pgtest.Address("posthouse", primary, standby)
	for i, door := range slices.Backward(doors) {
		env := append(os.Environ(), "DATABASE="+database, "ADDRESS="+door, fmt.Sprint("NODE=mx", i+1))
		if i == len(doors)-1 {
			h.run(env, program, "spool", "migrate", "--config", config)
		}
		h.start(env, program, "run", "--config", config, "--data", filepath.Join(dir, fmt.Sprint("mx", i+1)))
		if err := load.Answers(ctx, door); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// hall is what a cluster runs in; what was started last ends first. It takes the place of a test for pgtest.
type hall struct{ leave []func() }

func (h *hall) Helper()                           {}
func (h *hall) Cleanup(f func())                  { h.leave = append(h.leave, f) }
func (h *hall) Fatalf(format string, args ...any) { panic(fault{fmt.Errorf(format, args...)}) }
func (h *hall) Skipf(format string, args ...any)  { h.Fatalf(format, args...) }

// fault is an error on its way to end.
type fault struct{ error }

func (h *hall) end(err *error) {
	if p := recover(); p != nil {
		f, ours := p.(fault)
		if !ours {
			panic(p)
		}
		*err = f.error
	}
	for _, f := range slices.Backward(h.leave) {
		f()
	}
}

func (h *hall) run(env []string, program string, args ...string) {
	cmd := exec.Command(program, args...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
}

func (h *hall) start(env []string, program string, args ...string) {
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		h.Fatalf("%w", err)
	}
	h.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // its figures are taken, whatever it says
	})
}
