package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// child is a server in a process of its own.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	addr string
}

func start(name string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, "serve", name)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if !c.out.Scan() {
		return nil, errors.New("the server said nothing")
	}
	c.addr = c.out.Text()
	return c, nil
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// ask has the child tell what it has used.
func (c *child) ask(word string) (u usage, err error) {
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		return u, err
	}
	if !c.out.Scan() {
		return u, errors.New("the server has ended")
	}
	return u, json.Unmarshal(c.out.Bytes(), &u)
}

// loadServer measures a server under a plain load: no pipelining, as most
// clients do.
func loadServer(name string, l load.Load) (map[string]float64, error) {
	c, err := start(name)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	warm := l
	warm.Messages = max(l.Sessions, l.Messages/20)
	if _, err := warm.Send(context.Background(), c.addr); err != nil {
		return nil, err
	}
	before, err := c.ask("usage")
	if err != nil {
		return nil, err
	}
	took, err := l.Send(context.Background(), c.addr)
	if err != nil {
		return nil, err
	}
	after, err := c.ask("usage")
	return figures(l, took, before, after), err
}

func figures(l load.Load, took time.Duration, before, after usage) map[string]float64 {
	n := float64(l.Messages)
	return map[string]float64{
		"messages/s":                n / took.Seconds(),
		"MB/s":                      n * float64(len(l.Text())) / 1e6 / took.Seconds(),
		"CPU a message":             (after.CPU - before.CPU) / n,
		"allocations a message":     (after.Allocs - before.Allocs) / n,
		"bytes allocated a message": (after.Bytes - before.Bytes) / n,
	}
}

// idle measures the memory of sessions that have said EHLO and wait.
func idle(name string, n int) (map[string]float64, error) {
	c, err := start(name)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	before, err := c.ask("usage")
	if err != nil {
		return nil, err
	}
	var open []*load.Client
	defer func() {
		for _, p := range open {
			p.Close()
		}
	}()
	for range n {
		p, err := load.Dial(context.Background(), c.addr)
		if err != nil {
			return nil, fmt.Errorf("after %d sessions (see ulimit -n): %w", len(open), err)
		}
		open = append(open, p)
	}
	after, err := c.ask("usage")
	return map[string]float64{"memory a session": (after.RSS - before.RSS) / float64(n)}, err
}
