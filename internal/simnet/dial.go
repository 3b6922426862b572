package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// giveUp is how long a system tries to connect to a host that does not answer.
const giveUp = 127 * time.Second

// Dial connects to an address of "tcp" (or "udp", "unix"). The connection comes
// from local, which must be the host's; the zero Addr is any that fits. An address
// that is nobody's is EHOSTUNREACH, one where nobody listens ECONNREFUSED, and a host without power
// or road does not answer: ETIMEDOUT in the end, unless the context ends before.
func (h *Host) Dial(ctx context.Context, local netip.Addr, network, address string) (net.Conn, error) {
	if network == "udp" {
		return h.dialUDP(local, address)
	}
	d := &dialling{ctx: ctx, from: h, network: network, address: address}
	err := d.resolve(local)
	if err == nil {
		err = d.connect()
	}
	if err != nil {
		return nil, opError("dial", network, d.remote, err)
	}
	return d.conn, nil
}

// dialling is a connection in the making.
type dialling struct {
	ctx      context.Context
	from, to *Host
	network  string
	address  string
	at       netip.AddrPort
	local    net.Addr
	remote   net.Addr
	nth      int
	link     *link
	conn     *conn
}

// resolve finds the two ends.
func (d *dialling) resolve(local netip.Addr) error {
	n := d.from.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if d.network == "unix" {
		d.to = d.from
		d.remote, d.local = &net.UnixAddr{Name: d.address, Net: "unix"}, &net.UnixAddr{Net: "unix"}
		d.prepare()
		return nil
	}
	at, err := parseAddress(d.address)
	if err != nil {
		return err
	}
	d.at, d.remote, d.to = at, net.TCPAddrFromAddrPort(at), d.from.at(at.Addr())
	if local, err = d.from.source(local, at.Addr()); err != nil {
		return err
	}
	d.prepare()
	d.local = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, uint16(32_768+d.nth%28_000)))
	return nil
}

// source is the address that a connection comes from.
func (h *Host) source(local, remote netip.Addr) (netip.Addr, error) {
	if remote.IsLoopback() || remote.IsUnspecified() {
		return remote, nil
	}
	for _, a := range h.addrs {
		if local.IsValid() && a == local.Unmap() || !local.IsValid() && a.Is4() == remote.Is4() {
			return a, nil
		}
	}
	if local.IsValid() {
		return netip.Addr{}, syscall.EADDRNOTAVAIL
	}
	return netip.Addr{}, syscall.ENETUNREACH
}

// prepare makes the link, with the chances that are its own.
func (d *dialling) prepare() {
	n := d.from.net
	to := "nobody"
	if d.to != nil {
		to = d.to.name
	}
	name := d.from.name + " > " + to + " " + d.address
	n.dialled[name]++
	d.nth = n.dialled[name]
	chance := n.chance(fmt.Sprint(name, " #", d.nth))
	d.link = newLink(n, Event{From: d.from.name, To: to, Address: d.address, Nth: d.nth}, n.weatherBetween(d.from.name, to), chance)
}

// connect waits for an answer.
func (d *dialling) connect() error {
	deadline := time.NewTimer(giveUp)
	defer deadline.Stop()
	for {
		if err := d.wait(2 * d.link.latency()); err != nil {
			return err
		}
		back, l, err := d.knock()
		if err != nil {
			d.link.tell("no connection: " + err.Error())
			return err
		}
		if l != nil {
			return d.enter(l, deadline.C)
		}
		select {
		case <-back:
		case <-deadline.C:
			return syscall.ETIMEDOUT
		case <-d.ctx.Done():
			return context.Cause(d.ctx)
		}
	}
}

func (d *dialling) wait(long time.Duration) error {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

// knock returns the listener, or the channel that is closed when there may be an answer.
func (d *dialling) knock() (back chan struct{}, l *listener, err error) {
	n := d.from.net
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case d.to == nil:
		return nil, nil, syscall.EHOSTUNREACH
	case d.to.down.Load() || n.parted[between(d.from.name, d.to.name)]:
		return n.changed, nil, nil
	case d.network == "unix":
		l = d.to.listeners["unix "+d.address]
	default:
		l = d.to.listening(d.at)
	}
	if l == nil && d.network == "unix" {
		return nil, nil, syscall.ENOENT
	}
	if l == nil {
		return nil, nil, syscall.ECONNREFUSED
	}
	d.link.cutBy(n.cuts)
	n.links[d.link] = true
	return nil, l, nil
}

// enter hands the other end to the listener.
func (d *dialling) enter(l *listener, deadline <-chan time.Time) error {
	n := d.from.net
	n.mu.Lock() // a host that loses power now looks for its connections
	d.conn = d.link.connect(d.from, d.to, d.local, d.remote)
	n.mu.Unlock()
	var err error
	select {
	case l.queue <- d.link.ends[1]:
		d.link.tell("connected")
		select {
		case <-l.closed: // perhaps nobody has seen it
			d.link.ends[1].abort(syscall.ECONNRESET)
		default:
		}
		return nil
	case <-l.closed:
		err = syscall.ECONNREFUSED
	case <-deadline:
		err = syscall.ETIMEDOUT
	case <-d.ctx.Done():
		err = context.Cause(d.ctx)
	}
	d.from.net.forget(d.link)
	return err
}

func (n *Net) forget(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, l)
}
