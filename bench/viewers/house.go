//go:build linux

package main

import (
	"context"
	"fmt"
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

// place is where a house runs.
type place struct {
	dir, config          string
	port, sink, browsers int
}

func (p place) smtp() string    { return "127.0.0.1:" + strconv.Itoa(p.port) }
func (p place) next() string    { return "127.0.0.1:" + strconv.Itoa(p.sink) }
func (p place) console() string { return "127.0.0.1:" + strconv.Itoa(p.browsers) }

// build builds posthouse of the source beside this module.
func build(ctx context.Context, dir string) (program string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/posthouse/posthouse").Output()
	if err != nil {
		return "", fmt.Errorf("run this in the folder bench: %w", err)
	}
	program = filepath.Join(dir, "posthouse")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/posthouse")
	cmd.Dir, cmd.Stderr = strings.TrimSpace(string(root)), os.Stderr
	return program, cmd.Run()
}

// house is one that runs, and where its mail goes.
type house struct {
	*warden.Server
	place
	scene scene
	sink  *load.Taker // nil if nothing is relayed
}

// open starts a house on an empty directory. The caller must call end.
func open(ctx context.Context, program string, s scene, o options) (h *house, err error) {
	h = &house{scene: s}
	if h.dir, err = os.MkdirTemp(o.dir, s.Name+"-"); err != nil {
		return nil, err
	}
	if h.config, err = filepath.Abs("viewers.hcl"); err != nil {
		return nil, err
	}
	for _, port := range []*int{&h.port, &h.place.sink, &h.browsers} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if s.Relays {
		if h.sink, err = load.Find().Take(h.next()); err != nil {
			return nil, err
		}
	}
	command := append([]string{program}, s.command(h.place)...)
	if o.profile != "" {
		command = append(command, "--profile", o.profile)
	}
	h.Server, err = warden.Start(warden.Order{
		Command: command, Log: filepath.Join(h.dir, "output"),
		Env: []string{"PORT=" + strconv.Itoa(h.port), "SINK_PORT=" + strconv.Itoa(h.place.sink), "CONSOLE_PORT=" + strconv.Itoa(h.browsers)},
	})
	if err == nil {
		err = h.greets(ctx)
	}
	if err != nil {
		h.end()
	}
	return h, err
}

// startup is how long a house may take until it greets.
const startup = 30 * time.Second

func (h *house) greets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	if err := load.Answers(ctx, h.smtp()); err != nil {
		said, _ := os.ReadFile(filepath.Join(h.dir, "output"))
		return fmt.Errorf("posthouse does not greet: %w; it said: %q", err, said)
	}
	return nil
}

func (h *house) end() {
	if h.Server != nil {
		h.Stop()
	}
	if h.sink != nil {
		h.sink.Close()
	}
	_ = os.RemoveAll(h.dir)
}

// freePort is one on which nobody listens.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
