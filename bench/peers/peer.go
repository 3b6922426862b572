//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
	"github.com/posthouse/posthouse/bench/internal/warden"
)

// mode is what a server does with the mail that it has accepted. Those of
// posthouse are the files MODE.hcl of this module.
type mode string

const (
	hold     mode = "hold"    // keep it, deliver nothing
	relay    mode = "relay"   // hand all to the sink
	maildir  mode = "maildir" // put all into one Maildir
	secure   mode = "tls"     // offer TLS, and deliver nothing
	deferred mode = "defer"   // try where nobody listens, fail, keep it

	// As hold and relay, where several nodes may share a queue.
	sharedHold  mode = "cluster-hold"
	sharedRelay mode = "cluster-relay"
)

func (m mode) shared() bool { return m == sharedHold || m == sharedRelay }
func (m mode) relays() bool { return m == relay || m == sharedRelay }

// alone is the mode of one server with a queue of its own.
func (m mode) alone() mode {
	switch m {
	case sharedHold:
		return hold
	case sharedRelay:
		return relay
	}
	return m
}

// peer is a server that can be measured.
type peer interface {
	name() string

	// version says what exactly is measured, or why it cannot be.
	version(context.Context) (string, error)

	// knows tells whether the server can be told to do this.
	knows(mode) bool

	// order writes a configuration below p.dir and says how to start the server
	// in the foreground.
	order(p place) (warden.Order, error)

	// crowd is how many idle sessions are worth opening.
	crowd() int
}

// place is where, and for what, a server runs.
type place struct {
	mode     mode
	dir      string // all that the server writes is below it; empty at first
	port     int    // where to listen
	sinkPort int    // where the sink listens
	sessions int    // how many to be ready for
	nodes    int    // more than 1: with so many doors
}

func (p place) addr() string { return "127.0.0.1:" + strconv.Itoa(p.port) }
func (p place) sink() string { return "127.0.0.1:" + strconv.Itoa(p.sinkPort) }

// box is the directory of the Maildir in which whole messages appear.
func (p place) box() string { return filepath.Join(p.dir, "mail", "box", "new") }

// write puts a file below the place.
func (p place) write(name, text string) (path string, err error) {
	path = filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// freePorts returns ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the last is known, so that all differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// startup is how long a server may take until it greets.
const startup = time.Minute

// open starts a server and returns when it greets. The caller must call Stop.
func open(ctx context.Context, who peer, p place) (*warden.Server, error) {
	order, err := who.order(p)
	if err != nil {
		return nil, err
	}
	if order.Log == "" {
		order.Log = filepath.Join(p.dir, "output")
	}
	s, err := warden.Start(order)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	go func() {
		select {
		case <-s.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := load.Answers(ctx, p.addr()); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s does not greet: %w%s", who.name(), err, lastWords(order.Log))
	}
	return s, nil
}

// lastWords is the end of what a server printed.
func lastWords(log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 500
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return ""
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
	return fmt.Sprintf("; it said: %q", strings.TrimSpace(string(text)))
}

// output runs a short program and returns the first line that it prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	text, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

// needRoot says why a server cannot be measured by an ordinary user.
func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("it starts only as root")
	}
	return nil
}
