package web

import (
	"context"
	"net"
	"net/http"
	"slices"

	"github.com/posthouse/posthouse/internal/directory"
)

// Right is what somebody may do.
type Right uint8

// The rights, each with those before it.
const (
	Nothing  Right = iota
	Viewer         // sees mail, and what becomes of it
	Operator       // gives orders, and reads whole messages of the queue
)

// Rights are who may do what.
type Rights struct {
	// Guests is what those may who have not logged in. It holds on this machine
	// alone: from elsewhere a guest may do nothing.
	Guests Right
	// Viewers and Operators are names of accounts; "*" is everybody who can log in.
	Viewers, Operators []string
}

// of is what an account may.
func (r *Rights) of(name string) Right {
	switch {
	case listed(r.Operators, name):
		return Operator
	case listed(r.Viewers, name):
		return Viewer
	}
	return Nothing
}

func listed(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == "*" || directory.FoldName(n) == name })
}

// who is somebody who asks.
type who struct {
	name  string // of the account; "": a guest
	right Right
}

// whoIs says who makes a request.
func (c *Console) whoIs(r *http.Request) who {
	rights := c.opts.Rights()
	if name, ok := c.sessions.of(r); ok {
		return who{name, rights.of(name)}
	}
	if isHere(r.Context()) {
		return who{right: rights.Guests}
	}
	return who{}
}

// isHere reports whether a request came by a socket of this machine, or by one of its
// loopback addresses.
func isHere(ctx context.Context) bool {
	local, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return Loopback(local)
}

// Loopback reports whether only this machine can reach an address: a socket in the file
// system, or a loopback address.
func Loopback(a net.Addr) bool {
	switch a := a.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}

// canLogIn reports whether there is a door.
func (c *Console) canLogIn() bool { return c.opts.Door != nil && c.opts.Door() != nil }
