package remote

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// headStart is how long an address has before the next one is tried beside it
// (RFC 8305, 5).
const headStart = 250 * time.Millisecond

// dialled is what came of one address.
type dialled struct {
	addr netip.AddrPort
	conn net.Conn
	err  error
	// trace is of the connection; nil: there was none, or nobody wants to hear of it.
	trace *smtpclient.Trace
	auth  *smtpclient.Auth // as whom it was tried to log in there
}

// race connects to the first address that answers. failed are those that did not,
// before it did. All connections but the one that is returned are closed, and all
// goroutines have ended.
func (t *Transport) race(ctx context.Context, addrs []netip.AddrPort) (won dialled, failed []dialled) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialled, len(addrs))
	running := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for won.conn == nil && (running > 0 || len(addrs) > 0) {
		r, over := await(results, timer.C)
		switch {
		case over && r.conn != nil:
			won = r
			running--
			continue
		case over:
			failed = append(failed, r)
			running--
		}
		// The head start is over, or there is nobody left to have one.
		if len(addrs) > 0 {
			running++
			addr := addrs[0]
			addrs = addrs[1:]
			go func() { results <- t.dialOne(ctx, addr) }()
			timer.Reset(headStart)
		}
	}
	cancel()
	for ; running > 0; running-- {
		if late := <-results; late.conn != nil {
			_ = late.conn.Close()
		}
	}
	return won, failed
}

// await waits for a result or the end of a head start. A result goes first.
func await(results <-chan dialled, timer <-chan time.Time) (r dialled, over bool) {
	select {
	case r = <-results:
		return r, true
	case <-timer:
	}
	select {
	case r = <-results:
		return r, true
	default:
		return dialled{}, false
	}
}

func (t *Transport) dialOne(ctx context.Context, addr netip.AddrPort) dialled {
	if err := ctx.Err(); err != nil {
		return dialled{addr: addr, err: err}
	}
	dial := t.Dial
	if dial == nil {
		dial = dialTCP
	}
	conn, err := dial(ctx, t.source(addr.Addr()), addr)
	return dialled{addr: addr, conn: conn, err: err}
}

// source returns the address to come from.
func (t *Transport) source(to netip.Addr) netip.Addr {
	for _, a := range t.Source {
		if a.Is4() == to.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

func dialTCP(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d.DialContext(ctx, "tcp", remote.String())
}

// why returns what the network said, without the address, which is told beside it.
func why(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}
