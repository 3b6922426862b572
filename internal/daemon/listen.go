package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// Listening is an address at which mail comes in.
type Listening struct {
	Name string // of the listener
	Addr net.Addr
}

// Listening returns where the house listens, but for programs of this machine.
func (h *House) Listening() []Listening {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	var all []Listening
	for _, s := range h.rooms.servers {
		for _, at := range s.at {
			if at.local {
				continue
			}
			all = append(all, Listening{s.name, h.sockets[at].l.Addr()})
		}
	}
	return all
}

// serve lets the servers of the rooms answer. The turn is held.
func (h *House) serve() {
	h.views = nil
	for _, s := range h.rooms.servers {
		for _, at := range s.at {
			v := h.sockets[at].view()
			h.views = append(h.views, v)
			h.work.Go(func() {
				err := s.Serve(v)
				if !errors.Is(err, smtpserver.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
					h.fail(fmt.Errorf("listen on %s: %w", at, err))
				}
			})
		}
	}
	h.rooms.keys.acme.begin()
}

// listen opens the sockets that the servers of a configuration need and that are
// not open yet: all of them or none. The turn is held, or nobody else is there.
func (h *House) listen(ctx context.Context, r *rooms, c *config.Config) error {
	opened := map[endpoint]*socket{}
	for _, s := range r.servers {
		for _, at := range s.at {
			if h.sockets[at] != nil || opened[at] != nil {
				continue
			}
			l, err := h.world.listenAt(ctx, at)
			if err != nil {
				for _, s := range opened {
					s.close()
				}
				return CannotListen(c, s.origin, at.String(), err)
			}
			opened[at] = accepting(l)
		}
	}
	for at, s := range opened {
		h.sockets[at] = s
	}
	return nil
}

// ListenError says at which setting a listener could not be opened, and why.
type ListenError struct {
	config.Problems
	Err error
}

// CannotListen makes a [*ListenError].
func CannotListen(c *config.Config, at mail.Origin, address string, err error) error {
	p := c.Problem(at, fmt.Sprintf("cannot listen on %s: %v", address, cause(err)))
	p.Hint = hint(err)
	return &ListenError{config.Problems{p}, err}
}

// Unwrap returns both.
func (e *ListenError) Unwrap() []error { return []error{e.Problems, e.Err} }

// cause is an error of package net without the address, which is told already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// hint says what to do about a listener that could not be opened.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there: end it, or name another address"
	case errors.Is(err, syscall.EACCES):
		return "ports below 1024 are for root (user = \"posthouse\" gives its rights up afterwards), for programs with CAP_NET_BIND_SERVICE, and for sockets that systemd hands over"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address now"
	case errors.Is(err, syscall.EINVAL):
		return "the path of a socket has 107 octets at most: name a shorter data directory"
	}
	return ""
}
