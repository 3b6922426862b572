package remote_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// network is who is at which address. Nobody is at the others: the connection is
// refused, or, at those in silent, never answered.
type network struct {
	peers  map[string]*transporttest.Peer
	silent []string

	mu     sync.Mutex
	dialed []string
}

var errRefused = &net.OpError{Op: "dial", Err: errors.New("connection refused")}

func (n *network) dial(ctx context.Context, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	s := to.Addr().String()
	if to.Port() != 25 {
		s = to.String()
	}
	if local.IsValid() {
		s = local.String() + ">" + s
	}
	n.dialed = append(n.dialed, s)
	n.mu.Unlock()
	if slices.Contains(n.silent, to.Addr().String()) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if p := n.peers[to.Addr().String()]; p != nil {
		return p.Dial(ctx)
	}
	return nil, errRefused
}

func (n *network) went() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := strings.Join(n.dialed, " ")
	n.dialed = nil
	return s
}

// in runs f in a bubble, with a transport in a network and a zone.
func in(t *testing.T, zone string, n *network, f func(t *testing.T, tr *remote.Transport)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		tr := &remote.Transport{
			Resolver: dnstest.New(t, zone), LocalName: "client.test", Dial: n.dial,
			Policy: func(string) (smtpclient.TLSPolicy, *tls.Config) { return smtpclient.TLSNever, nil },
		}
		f(t, tr)
		if err := tr.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func to(domain string) mail.Hop {
	return mail.Hop{Route: "default", Transport: "remote", Destination: domain}
}

// send delivers a message to recipients of one domain, checks the outcomes and
// prints them.
func send(t *testing.T, tr *remote.Transport, hop mail.Hop, recipients ...string) string {
	t.Helper()
	d := transporttest.Delivery(transporttest.Envelope(t, recipients...), transporttest.Hello, hop)
	outcomes := tr.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	return strings.TrimSuffix(transporttest.Tell(outcomes), "\n")
}

const oneHost = "b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\n"

func TestSuite(t *testing.T) {
	for _, offers := range [][]string{nil, {"PIPELINING", "8BITMIME", "CHUNKING"}} {
		transporttest.Run(t, func(t *testing.T) transporttest.Subject {
			n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": {Offers: offers}}}
			tr := &remote.Transport{Resolver: dnstest.New(t, oneHost), LocalName: "client.test", Dial: n.dial}
			t.Cleanup(func() { _ = tr.Close(context.Background()) })
			return transporttest.Subject{Transport: tr, Domain: "b.test", Hop: to("b.test"), Accepted: mail.Relayed}
		})
	}
}

func TestDialogues(t *testing.T) {
	zone := dnstest.New(t, oneHost)
	transporttest.Dialogues(t, false, func(t *testing.T, p *transporttest.Peer) (transport.Transport, mail.Hop, func()) {
		n := &network{peers: map[string]*transporttest.Peer{"192.0.2.1": p}}
		tr := &remote.Transport{Resolver: zone, LocalName: "client.test", Dial: n.dial}
		return tr, to("b.test"), func() { _ = tr.Close(t.Context()) }
	})
}
