package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"
)

// Peer is who is at the other end of a connection, as the system says.
type Peer struct {
	UID, GID uint32
	PID      int32
}

// errUnknown says that the system does not tell who a peer is.
var errUnknown = errors.New("the system does not say who is at the other end")

type (
	peerKey     struct{}
	operatorKey struct{}
)

// told is what Identify said of a connection.
type told struct {
	peer Peer
	err  error
}

// As puts the name of the operator into the context of a request. Orders are
// recorded under it.
func As(ctx context.Context, operator string) context.Context {
	return context.WithValue(ctx, operatorKey{}, operator)
}

// operator is who asks, "" if nobody said so.
func operator(ctx context.Context) string {
	name, _ := ctx.Value(operatorKey{}).(string)
	return name
}

// guard lets through whom the socket is for.
type guard struct {
	api   *API
	self  uint32 // whom the house runs as
	group int64  // of the socket; -1: none
}

// guardOf reads the group from the socket that is listened on.
func (a *API) guardOf(l net.Listener) *guard {
	g := &guard{api: a, self: uint32(os.Geteuid()), group: -1}
	if at, is := l.Addr().(*net.UnixAddr); is {
		if info, err := os.Stat(at.Name); err == nil {
			g.group = groupOf(info)
		}
	}
	return g
}

// identify asks who is there, once a connection.
func (g *guard) identify(ctx context.Context, c net.Conn) context.Context {
	p, err := g.api.opts.Identify(c)
	return context.WithValue(ctx, peerKey{}, told{p, err})
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, known := r.Context().Value(peerKey{}).(told)
	if !known || who.err != nil {
		g.api.opts.Log.Warn("a request is refused: nobody knows who asks", "error", who.err)
		g.refuse(w, r, "it is not known who asks")
		return
	}
	name := nameOf(who.peer.UID)
	if !g.may(&who.peer) {
		g.api.opts.Log.Warn("a request is refused", "by", name, "uid", who.peer.UID, "pid", who.peer.PID)
		g.refuse(w, r, name+" may not steer this posthouse")
		return
	}
	g.api.ServeHTTP(w, r.WithContext(As(r.Context(), name)))
}

func (g *guard) refuse(w http.ResponseWriter, r *http.Request, why string) {
	hint := "root may, and " + nameOf(g.self) + ", whom it runs as"
	if g.group >= 0 {
		hint += ", and members of the group " + groupName(g.group) + ", which has the socket"
	}
	g.api.fault(w, r, &Fault{http.StatusForbidden, why, hint})
}

// may: root, the user whom the house runs as, and members of the socket's group.
func (g *guard) may(p *Peer) bool {
	return p.UID == 0 || p.UID == g.self || g.group >= 0 && (int64(p.GID) == g.group || isMember(p.UID, g.group))
}

func isMember(uid uint32, group int64) bool {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return false
	}
	groups, err := u.GroupIds()
	return err == nil && slices.Contains(groups, strconv.FormatInt(group, 10))
}

func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %s", id)
}

func groupName(gid int64) string {
	id := strconv.FormatInt(gid, 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
