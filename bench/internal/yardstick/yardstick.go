// Package yardstick is the least that a durable mail server in Go must do, by
// hand: what it reaches on a machine is what any server there could hope for.
// Each message is written to one log, whose sync all who wait share, and is then
// handed in memory to kept connections of the next host. It has no limits, no
// time-outs, no recovery, and believes every word: nobody's mail goes by it.
package yardstick

import (
	"context"
	"net"
	"os"
)

// Options are what the yardstick is told.
type Options struct {
	Addr  string // where to listen
	Log   string // the file to write, which must not be there
	Sink  string // where to hand all mail on; "": keep it
	Links int    // connections to the sink
}

// Serve takes mail until something fails.
func Serve(o Options) error {
	file, err := os.OpenFile(o.Log, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return err
	}
	h := &house{log: newLog(file)}
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	go func() { fail(h.log.keep()) }()
	if o.Sink != "" {
		h.outgoing = make(chan *letter, 100_000)
		for range o.Links {
			go func() { fail(h.carry(o.Sink)) }()
		}
	}
	go func() { fail(h.welcome(l)) }()
	return <-failed
}

// house is what sessions share.
type house struct {
	log      *log
	outgoing chan *letter // nil: nothing is handed on
}

func (h *house) welcome(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go h.session(c)
	}
}
