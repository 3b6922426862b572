package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is a number of messages, spread over sessions.
type load struct {
	sessions int
	messages int
	size     int
	fresh    bool // a new connection for each message
}

// text is a message of about size octets in lines of 72, without a dot at the
// start of a line.
func (l load) text() []byte {
	const line = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
	head := "From: <a@example.com>\r\nTo: <b@example.com>\r\nSubject: bench\r\n\r\n"
	return []byte(head + strings.Repeat(line, max(1, (l.size-len(head))/len(line))))
}

// share spreads the messages over the sessions and waits for all.
func (l load) share(session func(take func() bool) error) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(l.messages))
	take := func() bool { return left.Add(-1) >= 0 }
	errs := make([]error, l.sessions)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range l.sessions {
		wg.Go(func() { errs[i] = session(take) })
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

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
func loadServer(name string, l load) (map[string]float64, error) {
	c, err := start(name)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	warm := l
	warm.messages = max(l.sessions, l.messages/20)
	if _, err := plainLoad(c.addr, warm); err != nil {
		return nil, err
	}
	before, err := c.ask("usage")
	if err != nil {
		return nil, err
	}
	took, err := plainLoad(c.addr, l)
	if err != nil {
		return nil, err
	}
	after, err := c.ask("usage")
	return l.figures(took, before, after), err
}

func (l load) figures(took time.Duration, before, after usage) map[string]float64 {
	n := float64(l.messages)
	return map[string]float64{
		"messages/s":                n / took.Seconds(),
		"MB/s":                      n * float64(len(l.text())) / 1e6 / took.Seconds(),
		"CPU a message":             (after.CPU - before.CPU) / n,
		"allocations a message":     (after.Allocs - before.Allocs) / n,
		"bytes allocated a message": (after.Bytes - before.Bytes) / n,
	}
}

func plainLoad(addr string, l load) (time.Duration, error) {
	text := append(l.text(), ".\r\n"...)
	return l.share(func(take func() bool) error {
		var p *plain
		defer func() { p.close() }()
		for take() {
			if p == nil {
				var err error
				if p, err = dialPlain(addr); err != nil {
					return err
				}
			}
			for _, step := range []struct {
				say  []byte
				want byte
			}{
				{[]byte("MAIL FROM:<a@example.com>\r\n"), '2'},
				{[]byte("RCPT TO:<b@example.com>\r\n"), '2'},
				{[]byte("DATA\r\n"), '3'},
				{text, '2'},
			} {
				if err := p.say(step.say, step.want); err != nil {
					return err
				}
			}
			if l.fresh {
				if err := p.say([]byte("QUIT\r\n"), '2'); err != nil {
					return err
				}
				p.close()
				p = nil
			}
		}
		return nil
	})
}

// plain is the least of a client.
type plain struct {
	nc net.Conn
	r  *bufio.Reader
}

func dialPlain(addr string) (*plain, error) {
	d := net.Dialer{KeepAlive: -1}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &plain{nc, bufio.NewReaderSize(nc, 512)}
	if err := p.say(nil, '2'); err != nil {
		return p, err
	}
	return p, p.say([]byte("EHLO bench.test\r\n"), '2')
}

func (p *plain) close() {
	if p != nil {
		_ = p.nc.Close()
	}
}

func (p *plain) say(b []byte, want byte) error {
	if len(b) > 0 {
		if _, err := p.nc.Write(b); err != nil {
			return err
		}
	}
	for {
		line, err := p.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 || line[0] != want {
			return fmt.Errorf("server said %q", line)
		}
		if line[3] != '-' {
			return nil
		}
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
	var open []*plain
	defer func() {
		for _, p := range open {
			p.close()
		}
	}()
	for range n {
		p, err := dialPlain(c.addr)
		if err != nil {
			return nil, fmt.Errorf("after %d sessions (see ulimit -n): %w", len(open), err)
		}
		open = append(open, p)
	}
	after, err := c.ask("usage")
	return map[string]float64{"memory a session": (after.RSS - before.RSS) / float64(n)}, err
}
