package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
)

// backlog is how many connections wait to be accepted; more wait to be made.
const backlog = 128

type listener struct {
	host   *Host
	key    string
	addr   net.Addr
	queue  chan *conn
	closed chan struct{}
	once   sync.Once
}

// Listen listens on "tcp" at an address of the host, at all of them (":25",
// "0.0.0.0:25", "[::]:25") or on a free port (":0"), or on "unix" at a path.
// Two programs cannot listen at one address.
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, opError("listen", network, nil, context.Cause(ctx))
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	l := &listener{host: h, queue: make(chan *conn, backlog), closed: make(chan struct{})}
	var err error
	if l.key, l.addr, err = h.listenAt(network, address); err != nil {
		return nil, opError("listen", network, nil, err)
	}
	if h.listeners[l.key] != nil {
		return nil, opError("listen", network, l.addr, syscall.EADDRINUSE)
	}
	h.rise()
	h.listeners[l.key] = l
	return l, nil
}

// listenAt returns the key of a listener and its address.
func (h *Host) listenAt(network, address string) (string, net.Addr, error) {
	if network == "unix" {
		return "unix " + address, &net.UnixAddr{Name: address, Net: network}, nil
	}
	at, err := parseAddress(address)
	if err != nil {
		return "", nil, err
	}
	if h.at(at.Addr()) != h {
		return "", nil, syscall.EADDRNOTAVAIL
	}
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), h.freePort())
	}
	return key(at), net.TCPAddrFromAddrPort(at), nil
}

func (h *Host) freePort() uint16 {
	h.ports++
	return 10_000 + h.ports%20_000
}

// key is how a listener is found: those at all addresses are under "*".
func key(at netip.AddrPort) string {
	if at.Addr().IsUnspecified() {
		return fmt.Sprintf("* %d", at.Port())
	}
	return at.String()
}

// listening returns the listener for an address, or nil.
func (h *Host) listening(at netip.AddrPort) *listener {
	if l := h.listeners[at.String()]; l != nil {
		return l
	}
	return h.listeners[fmt.Sprintf("* %d", at.Port())]
}

// parseAddress reads "192.0.2.1:25", "[::1]:25", ":25" and "localhost:25".
func parseAddress(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch {
	case host == "":
		host = "::"
	case strings.EqualFold(host, "localhost"):
		host = "127.0.0.1"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, opError("accept", l.addr.Network(), l.addr, net.ErrClosed)
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, opError("accept", l.addr.Network(), l.addr, net.ErrClosed)
	}
}

// Close ends the listening. Connections that nobody has accepted are reset.
func (l *listener) Close() error {
	n := l.host.net
	n.mu.Lock()
	if l.host.listeners[l.key] == l {
		delete(l.host.listeners, l.key)
	}
	n.mu.Unlock()
	err := opError("close", l.addr.Network(), l.addr, net.ErrClosed)
	l.once.Do(func() { close(l.closed); err = nil })
	for {
		select {
		case c := <-l.queue:
			c.abort(syscall.ECONNRESET)
		default:
			return err
		}
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

func opError(op, network string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Addr: addr, Err: err}
}
