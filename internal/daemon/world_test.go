package daemon_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/posthouse/posthouse/internal/transcript"
)

// network is a world of hosts that are known by their addresses, for a synctest
// bubble.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	dialled   int
}

func newNetwork() *network { return &network{listeners: map[string]*listener{}} }

// listen is a World's Listen: of "tcp" the address is taken as it is, but that port 0
// is the first one that is free.
func (n *network) listen(_ context.Context, _, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host, free := strings.CutSuffix(address, ":0"); free {
		for port := 1; free; port++ {
			address = fmt.Sprintf("%s:%d", host, port)
			_, taken := n.listeners[address]
			free = taken
		}
	}
	if n.listeners[address] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{n: n, at: tcpAddr(address), calls: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// from is the Dial of a World whose hosts are at an address.
func (n *network) from(self string) func(context.Context, netip.Addr, string, string) (net.Conn, error) {
	return func(ctx context.Context, _ netip.Addr, _, address string) (net.Conn, error) {
		n.mu.Lock()
		l := n.listeners[address]
		n.dialled++
		port := 40000 + n.dialled
		n.mu.Unlock()
		if l == nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		here, there := transcript.Pipe(64 << 10)
		me := tcpAddr(fmt.Sprintf("%s:%d", self, port))
		select {
		case l.calls <- addressed{there, l.at, me}:
			return addressed{here, me, l.at}, nil
		case <-l.closed:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func tcpAddr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// addressed is a connection between two addresses.
type addressed struct {
	net.Conn
	local, remote net.Addr
}

func (a addressed) LocalAddr() net.Addr  { return a.local }
func (a addressed) RemoteAddr() net.Addr { return a.remote }

type listener struct {
	n      *network
	at     net.Addr
	calls  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.calls:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.n.mu.Lock()
		defer l.n.mu.Unlock()
		delete(l.n.listeners, l.at.String())
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.at }
