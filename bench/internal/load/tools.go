//go:build unix

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Tools are the programs that send and take mail while a server is measured.
type Tools struct {
	Source string // path of Postfix's smtp-source; empty: Load.Send sends
	Sink   string // path of Postfix's smtp-sink; empty: Sink takes
}

// Find looks for Postfix's programs in the path and where Debian puts them.
func Find() Tools { return Tools{Source: look("smtp-source"), Sink: look("smtp-sink")} }

func look(name string) string {
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// String says which programs these are.
func (t Tools) String() string {
	source, sink := "Postfix's smtp-source", "Postfix's smtp-sink"
	if t.Source == "" {
		source = "our own source (smtp-source is not installed)"
	}
	if t.Sink == "" {
		sink = "our own sink (smtp-sink is not installed)"
	}
	return source + " and " + sink
}

// Sent is what it took to send a load.
type Sent struct {
	Took time.Duration // until the last message was accepted
	CPU  time.Duration // of the source; 0 if that was this process
}

// Send gives a load to the server at addr. What smtp-source does not know is sent by us.
func (t Tools) Send(ctx context.Context, l Load, addr string) (Sent, error) {
	if t.Source == "" || l.TLS || l.Bare {
		took, err := l.Send(ctx, addr)
		return Sent{Took: took}, err
	}
	args := []string{"-s", strconv.Itoa(min(l.Sessions, l.Messages)), "-m", strconv.Itoa(l.Messages), "-l", strconv.Itoa(l.Size), "-f", From, "-t", To}
	if !l.Fresh {
		args = append(args, "-d")
	}
	cmd := exec.CommandContext(ctx, t.Source, append(args, addr)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	err := cmd.Run()
	s := Sent{Took: time.Since(start)}
	if cmd.ProcessState != nil {
		s.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	switch {
	case ctx.Err() != nil:
		return s, fmt.Errorf("smtp-source has not sent %d messages in time: %w", l.Messages, ctx.Err())
	case err != nil:
		return s, fmt.Errorf("smtp-source: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return s, nil
}

// SendEach gives a load to servers that share it: each gets a part of the sessions and of the messages.
func (t Tools) SendEach(ctx context.Context, l Load, addrs []string) (Sent, error) {
	if len(addrs) == 1 {
		return t.Send(ctx, l, addrs[0])
	}
	n := len(addrs)
	sent, errs := make([]Sent, n), make([]error, n)
	var all sync.WaitGroup
	for i, addr := range addrs {
		part := l
		part.Sessions, part.Messages = share(l.Sessions, i, n), share(l.Messages, i, n)
		all.Go(func() { sent[i], errs[i] = t.Send(ctx, part, addr) })
	}
	all.Wait()
	var sum Sent
	for _, s := range sent {
		sum.Took, sum.CPU = max(sum.Took, s.Took), sum.CPU+s.CPU
	}
	return sum, errors.Join(errs...)
}

// share is the part that the nth of some gets.
func share(whole, nth, of int) int { return whole*(nth+1)/of - whole*nth/of }

// Taker takes mail and counts it. Close ends it.
type Taker struct {
	Taken func() int64 // messages accepted so far
	PID   int          // of the process that takes; 0 if that is this one

	close func()
}

// Take starts a sink at addr, "127.0.0.1:PORT".
func (t Tools) Take(addr string) (*Taker, error) {
	if t.Sink == "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		var sink Sink
		var wg sync.WaitGroup
		wg.Go(func() { _ = sink.Serve(l) }) // ends with the listener
		return &Taker{Taken: sink.Taken, close: func() { _ = l.Close(); wg.Wait() }}, nil
	}
	args := []string{"-c"}
	if os.Geteuid() == 0 {
		args = append(args, "-u", "nobody") // it insists
	}
	cmd := exec.Command(t.Sink, append(args, addr, "1024")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := new(counter)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(c, out) }) // ends with the program
	return &Taker{Taken: c.taken, PID: cmd.Process.Pid, close: func() {
		_ = cmd.Process.Kill()
		wg.Wait()
		_ = cmd.Wait()
	}}, nil
}

// Close ends the sink.
func (t *Taker) Close() { t.close() }

// Wait returns when n messages have been taken.
func (t *Taker) Wait(ctx context.Context, n int64) error {
	for t.Taken() < n {
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("the sink has %d of %d messages: %w", t.Taken(), n, err)
		}
	}
	return nil
}

// counter reads what smtp-sink -c prints after each message: its counters, with
// CR alone between them.
type counter struct {
	mu   sync.Mutex
	rest []byte // of a line that is not whole
	last int64
}

func (c *counter) taken() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Write reads the last whole line in b; those before it are older.
func (c *counter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(b)
	b = append(c.rest, b...)
	end := bytes.LastIndexByte(b, '\r')
	line := b[:max(end, 0)]
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	if _, count, ok := bytes.Cut(line, []byte("mesg=")); ok {
		count, _, _ = bytes.Cut(count, []byte(" "))
		if v, err := strconv.ParseInt(string(count), 10, 64); err == nil {
			c.last = v
		}
	}
	const longest = 1 << 10
	c.rest = bytes.Clone(b[max(end+1, len(b)-longest):])
	return n, nil
}

// Answers waits until a server at addr greets.
func Answers(ctx context.Context, addr string) error {
	for {
		c, err := Dial(ctx, addr)
		if err == nil {
			err = c.Say([]byte("QUIT\r\n"), '2')
			c.Close()
			if err == nil {
				return nil
			}
		}
		if late := sleep(ctx, 5*time.Millisecond); late != nil {
			return errors.Join(late, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
