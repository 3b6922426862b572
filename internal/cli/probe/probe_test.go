package probe

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/transcript"
)

const overTLS = `S: 220 mx.b.test ESMTP
C: EHLO client.test
S: 250-mx.b.test
S: 250 STARTTLS
C: STARTTLS
S: 220 go
TLS
C: EHLO client.test
S: 250-mx.b.test
S: 250-SIZE 1000000
S: 250-PIPELINING
S: 250 AUTH PLAIN LOGIN
C: QUIT
S: 221 bye
`

const withoutTLS = `S: 220 two.b.test ESMTP
C: EHLO client.test
S: 250 two.b.test
C: QUIT
S: 221 bye
`

// look probes b.test in a world of a zone and what hosts say, by address. {key} in the
// zone is the digest of the key of every host.
func look(t *testing.T, zone string, hosts map[string]string, domain string) *Found {
	t.Helper()
	server, key := certificateOf(t)
	p := &Prober{
		Resolver: dnstest.New(t, strings.ReplaceAll(zone, "{key}", key)), Roots: x509.NewCertPool(),
		LocalName: "client.test", Port: 25, Timeout: 10 * time.Second, Progress: &bytes.Buffer{},
		Dial: func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			text, ok := hosts[to.Addr().String()]
			if !ok {
				return nil, errors.New("connection refused")
			}
			script, err := transcript.Parse("host", text)
			if err != nil {
				t.Error(err)
			}
			a, b := transcript.Pipe(64 << 10)
			go func() { _ = script.Serve(b, server) }()
			return a, nil
		},
	}
	return p.Probe(t.Context(), domain)
}

func certificateOf(t *testing.T) (config *tls.Config, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mx.b.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	cert, err2 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	return config, fmt.Sprintf("%x", sha256.Sum256(cert.RawSubjectPublicKeyInfo))
}

const signed = `
b.test                AD
b.test                MX   10 mx.b.test
mx.b.test             AD
mx.b.test             A    192.0.2.1
_25._tcp.mx.b.test    AD
_25._tcp.mx.b.test    TLSA 3 1 1 {key}
`

const second = `
b.test                MX   20 two.b.test
two.b.test            AD
two.b.test            A    192.0.2.2
two.b.test            A    192.0.2.3
_25._tcp.two.b.test   AD
_25._tcp.two.b.test   TLSA 3 1 1 {key}
`

// TestThePage: what a person reads of a domain with one good host, and one from whose answer somebody took STARTTLS.
func TestThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := look(t, signed+second, map[string]string{"192.0.2.1": overTLS, "192.0.2.2": withoutTLS}, "b.test")
		var out bytes.Buffer
		if err := f.print(&out); err != nil {
			t.Fatal(err)
		}
		const want = `b.test
  MX             2 hosts, signed
  MTA-STS        none

mx.b.test (10)
  needs          verified (DANE, the TLSA records of _25._tcp.mx.b.test)
  DANE           3 1 1 KEY
  192.0.2.1:25
    greeting     220 mx.b.test ESMTP
    TLS          TLS 1.3 TLS_AES_128_GCM_SHA256
    certificate  mx.b.test; self-made; ECDSA; until 2000-04-01
                 fits the TLSA records
    offers       SIZE 1000000, PIPELINING, AUTH PLAIN LOGIN
    logins       PLAIN LOGIN

two.b.test (20)
  needs          verified (DANE, the TLSA records of _25._tcp.two.b.test)
  DANE           3 1 1 KEY
  192.0.2.2:25
    INSECURE     STARTTLS is not offered
    greeting     220 two.b.test ESMTP
    TLS          STARTTLS is not offered
  192.0.2.3:25
    failed       connection refused
`
		got := strings.ReplaceAll(out.String(), f.Hosts[0].DANE[0][len("3 1 1 "):], "KEY")
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		if s := f.status(); s != cli.DataErr {
			t.Errorf("it ends with %d", s)
		}
	})
}

func TestHowItEnds(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		hosts      map[string]string
		domain     string
		want       cli.Status
		fault      string
	}{
		{"all is well", signed, map[string]string{"192.0.2.1": overTLS}, "b.test", cli.OK, ""},
		{"nobody asks for TLS, and it is not there", "b.test A 192.0.2.1", map[string]string{"192.0.2.1": withoutTLS}, "b.test", cli.OK, ""},
		{"an address", "", map[string]string{"192.0.2.1": withoutTLS}, "[192.0.2.1]", cli.OK, ""},
		{"nobody is there", "b.test A 192.0.2.1", nil, "b.test", cli.TempFail, ""},
		{"no such domain", "", nil, "b.test", cli.NoHost, "does not exist"},
		{"no mail", "b.test MX 0 .", nil, "b.test", cli.NoHost, "null MX"},
		{"no name at all", "", nil, "b..test", cli.NoHost, "no domain"},
		{"no answer", "b.test MX !temporary", nil, "b.test", cli.TempFail, "no answer"},
		{"a forged answer", "b.test MX !bogus", nil, "b.test", cli.TempFail, "validation failed"},
		{"forged TLSA records", strings.Replace(signed, "3 1 1 {key}", "!bogus", 1), map[string]string{"192.0.2.1": overTLS}, "b.test", cli.DataErr, ""},
		{"TLSA records of another key", strings.Replace(signed, "{key}", strings.Repeat("00", 32), 1), map[string]string{"192.0.2.1": overTLS}, "b.test", cli.DataErr, ""},
		{"a policy that cannot be had", "b.test A 192.0.2.1\n_mta-sts.b.test TXT v=STSv1; id=1", map[string]string{"192.0.2.1": withoutTLS}, "b.test", cli.OK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := look(t, c.zone, c.hosts, c.domain)
				if f.status() != c.want || !strings.Contains(f.Fault, c.fault) || (f.Fault == "") != (c.fault == "") {
					t.Errorf("status %d, want %d: %+v", f.status(), c.want, f)
				}
				var out bytes.Buffer
				if err := errors.Join(f.print(&out), cli.PrintJSON(&out, f)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestJSON: programs find the words that they may rely on.
func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := look(t, signed, map[string]string{"192.0.2.1": overTLS}, "b.test")
		var out bytes.Buffer
		var back struct {
			Signed bool
			Hosts  []struct {
				Name, TLS string
				DANE      []string
				Addresses []struct {
					Address, TLS string
					Certificate  struct{ DANE string }
					Auth         []string
				}
			}
		}
		if err := errors.Join(cli.PrintJSON(&out, f), json.Unmarshal(out.Bytes(), &back)); err != nil {
			t.Fatal(err)
		}
		a := back.Hosts[0].Addresses[0]
		if !back.Signed || a.Certificate.DANE != "fits" || strings.Join(a.Auth, " ") != "PLAIN LOGIN" || len(back.Hosts[0].DANE) != 1 {
			t.Error(out.String())
		}
	})
}
