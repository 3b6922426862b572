package remote

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

func rooms(t *Transport) int {
	t.kept.mu.Lock()
	defer t.kept.mu.Unlock()
	return len(t.kept.rooms)
}

// TestRoomsGo: nothing stays in memory of hosts that are no longer talked with.
func TestRoomsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &transporttest.Peer{}
		tr := &Transport{
			Resolver: dnstest.New(t, ""), LocalName: "client.test", Smarthost: true,
			Dial: func(ctx context.Context, _ netip.Addr, to netip.AddrPort) (net.Conn, error) {
				if to.Addr() == netip.MustParseAddr("192.0.2.1") {
					return p.Dial(ctx)
				}
				return nil, net.ErrClosed
			},
		}
		for _, hop := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.1:26"} {
			d := transporttest.Delivery(transporttest.Envelope(t, "x@b.test"), transporttest.Hello, mail.Hop{Destination: hop})
			transporttest.Check(t, d, tr.Deliver(t.Context(), d))
		}
		if n := rooms(tr); n != 2 {
			t.Errorf("%d rooms while connections are kept", n)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := rooms(tr); n != 0 {
			t.Errorf("%d rooms when they are gone", n)
		}
		full := key{"x", 25, smtpclient.TLSNever, ""}
		if err := tr.kept.enter(t.Context(), full, 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := tr.kept.enter(ctx, full, 1); err == nil {
			t.Error("two where there is room for one")
		}
		tr.kept.leave(full)
		if n := rooms(tr); n != 0 {
			t.Errorf("%d rooms when nobody waits any more", n)
		}
	})
}
