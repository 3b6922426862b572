package simnet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/simnet"
)

const zone = `
good.test       MX 10 mx.good.test
mx.good.test    A  192.0.2.2
mx.good.test    AAAA 2001:db8::2
old.test        CNAME good.test
text.test       TXT "v=spf1 -all"
# somebody's DNSSEC
signed.test     A  192.0.2.3
signed.test     AD
silent.test     MX !timeout
failed.test     MX !servfail
shy.test        MX !servfail 1
shy.test        MX 10 mx.good.test
forged.test     MX !bogus
gone.test       MX !nxdomain
cut.test        MX !truncated
cut.test        MX 10 mx.good.test
guessed.test    MX !wrong-id
garbage.test    ANY !garbage
`

// TestZone asks with the client of the house.
func TestZone(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, w *world) {
		z, err := simnet.NewZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		stop, err := z.Serve(t.Context(), w.b, ":53")
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		r := &dnsclient.Client{
			Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:53")}, TrustAD: true,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				return w.a.Dial(ctx, netip.Addr{}, network, address)
			},
		}
		for _, c := range []struct {
			name string
			err  error
		}{
			{"good.test", nil},
			{"old.test", nil},
			{"shy.test", nil},
			{"cut.test", nil},
			{"silent.test", dns.ErrTemporary},
			{"failed.test", dns.ErrTemporary},
			{"guessed.test", dns.ErrTemporary},
			{"garbage.test", dns.ErrTemporary},
			{"forged.test", dns.ErrBogus},
			{"gone.test", dns.ErrNotFound},
			{"nobody.test", dns.ErrNotFound},
			{"text.test", dns.ErrNoData},
		} {
			a, err := r.MX(t.Context(), name(t, c.name))
			if !errors.Is(err, c.err) || err == nil && (len(a.Records) != 1 || a.Records[0].Host.String() != "mx.good.test") {
				t.Errorf("%s: %v, %v; want %v", c.name, a.Records, err, c.err)
			}
		}
		signed, err := r.A(t.Context(), name(t, "signed.test"))
		plain, err2 := r.A(t.Context(), name(t, "mx.good.test"))
		if err := errors.Join(err, err2); err != nil || !signed.Authenticated || plain.Authenticated {
			t.Errorf("signed: %v, not signed: %v, %v", signed.Authenticated, plain.Authenticated, err)
		}
		if asked := strings.Join(z.Asked(), ", "); !strings.HasPrefix(asked, "MX good.test, MX old.test, MX shy.test, MX shy.test, MX cut.test, MX cut.test") {
			t.Errorf("asked: %s", asked)
		}
	})
}

func name(t testing.TB, s string) dns.Name {
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAZoneThatIsNone(t *testing.T) {
	for _, text := range []string{"lonely", "x.test MX !oops", "x.test MX !servfail many", "x.test A here"} {
		if _, err := simnet.NewZone(text); err == nil {
			t.Errorf("%q is a zone", text)
		}
	}
}
