package simnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// socket sends and receives datagrams.
type socket struct {
	host   *Host
	local  netip.AddrPort
	remote netip.AddrPort // of a connected one, else invalid
	name   string         // of its chances, with what it sends
	inbox  chan datagram
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	until time.Time
	nudge signal // the deadline has changed
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

// inboxSize is how many datagrams wait to be read; more are lost.
const inboxSize = 256

// ListenPacket listens on "udp" at an address of the host, or at all (":53").
func (h *Host) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	at, err := parseAddress(address)
	if err == nil && h.at(at.Addr()) != h {
		err = os.ErrInvalid
	}
	if err != nil {
		return nil, opError("listen", network, nil, err)
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.rise()
	return h.socket(at, netip.AddrPort{}, fmt.Sprint(h.name, " at ", at)), nil
}

// dialUDP makes a socket that speaks with one other.
func (h *Host) dialUDP(local netip.Addr, address string) (net.Conn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	remote, err := parseAddress(address)
	if err == nil {
		local, err = h.source(local, remote.Addr())
	}
	if err != nil {
		return nil, opError("dial", "udp", nil, err)
	}
	at := netip.AddrPortFrom(local, h.freePort())
	for h.sockets[at] != nil {
		at = netip.AddrPortFrom(local, h.freePort())
	}
	return h.socket(at, remote, h.name+" > udp "+address), nil
}

func (h *Host) socket(at, remote netip.AddrPort, name string) *socket {
	s := &socket{
		host: h, local: at, remote: remote, name: name,
		inbox: make(chan datagram, inboxSize), closed: make(chan struct{}), nudge: make(signal, 1),
	}
	h.sockets[at] = s
	return s
}

// WriteTo sends a datagram, which may be lost.
func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	at, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, opError("write", "udp", to, err)
	}
	return s.send(p, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
}

func (s *socket) Write(p []byte) (int, error) { return s.send(p, s.remote) }

func (s *socket) send(p []byte, to netip.AddrPort) (int, error) {
	select {
	case <-s.closed:
		return 0, opError("write", "udp", nil, net.ErrClosed)
	default:
	}
	if other, delay := s.reach(p, to); other != nil {
		d := datagram{append([]byte(nil), p...), s.from(to)}
		time.AfterFunc(delay, func() { other.deliver(d) })
	}
	return len(p), nil
}

// from is the address that others see.
func (s *socket) from(to netip.AddrPort) netip.AddrPort {
	if !s.local.Addr().IsUnspecified() {
		return s.local
	}
	a, err := s.host.source(netip.Addr{}, to.Addr())
	if err != nil {
		return s.local
	}
	return netip.AddrPortFrom(a, s.local.Port())
}

// chanceOf is the random stream of one datagram. It hangs on what is in it and when it is
// sent, so that of two that are sent at one instant nobody need be the first. The first
// two octets are left out: of a question to the DNS they are chance.
func (s *socket) chanceOf(p []byte, to netip.AddrPort) *rand.Rand {
	return s.host.net.chance(fmt.Sprintf("%s, %v, %x, %d", s.name, to.Addr(), p[min(2, len(p)):], time.Now().UnixNano()))
}

// reach returns the socket at an address and how far it is, or nil if the
// datagram is lost on the way.
func (s *socket) reach(p []byte, to netip.AddrPort) (*socket, time.Duration) {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	h := s.host.at(to.Addr())
	if h == nil || h.down.Load() || n.parted[between(s.host.name, h.name)] {
		return nil, 0
	}
	w, chance := n.weatherBetween(s.host.name, h.name), s.chanceOf(p, to)
	delay := w.Latency + residue(chance)
	if chance.Float64() < w.Loss {
		return nil, 0
	}
	for _, at := range []netip.AddrPort{to, netip.AddrPortFrom(netip.IPv6Unspecified(), to.Port()), netip.AddrPortFrom(netip.IPv4Unspecified(), to.Port())} {
		if other := h.sockets[at]; other != nil {
			return other, delay
		}
	}
	return nil, 0
}

func (s *socket) deliver(d datagram) {
	if s.remote.IsValid() && s.remote != d.from {
		return
	}
	select {
	case s.inbox <- d:
	default: // it is full
	}
}

// ReadFrom waits for a datagram; what is longer than p is cut off.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		d, err := s.receive()
		if err != nil {
			return 0, nil, opError("read", "udp", net.UDPAddrFromAddrPort(s.local), err)
		}
		if d != nil {
			return copy(p, d.data), net.UDPAddrFromAddrPort(d.from), nil
		}
	}
}

func (s *socket) Read(p []byte) (int, error) {
	n, _, err := s.ReadFrom(p)
	return n, err
}

// receive waits once: for a datagram, or for something else to happen.
func (s *socket) receive() (*datagram, error) {
	s.mu.Lock()
	until := s.until
	s.mu.Unlock()
	var late <-chan time.Time
	if !until.IsZero() {
		if !time.Now().Before(until) {
			return nil, os.ErrDeadlineExceeded
		}
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		late = t.C
	}
	select {
	case d := <-s.inbox:
		return &d, nil
	case <-s.closed:
		return nil, net.ErrClosed
	case <-late:
		return nil, os.ErrDeadlineExceeded
	case <-s.nudge:
		return nil, nil
	}
}

func (s *socket) Close() error {
	err := opError("close", "udp", nil, net.ErrClosed)
	s.once.Do(func() {
		close(s.closed)
		s.host.net.mu.Lock()
		defer s.host.net.mu.Unlock()
		delete(s.host.sockets, s.local)
		err = nil
	})
	return err
}

func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	s.until = t
	s.mu.Unlock()
	s.nudge.notify()
	return nil
}

// SetWriteDeadline does nothing: a datagram is sent at once or not.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

func (s *socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.local) }

func (s *socket) RemoteAddr() net.Addr {
	if !s.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(s.remote)
}
