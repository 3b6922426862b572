package dane_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/dane"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
)

const zone = `
_25._tcp.mx.b.test   AD
_25._tcp.mx.b.test   TLSA 3 1 1 00000000000000000000000000000000000000000000000000000000000000ff
_25._tcp.bad.b.test  AD
_25._tcp.bad.b.test  TLSA !bogus
_25._tcp.mx.c.test   TLSA 3 1 1 00000000000000000000000000000000000000000000000000000000000000ff
_25._tcp.loop.b.test CNAME _25._tcp.loop.b.test
_25._tcp.loop.b.test AD
_25._tcp.slow.b.test TLSA !temporary
`

func TestSuite(t *testing.T) {
	for _, unknown := range []string{"bad.b.test", "slow.b.test"} {
		tlspolicytest.Run(t, func(t *testing.T) tlspolicytest.Subject {
			return tlspolicytest.Subject{
				Source: &dane.Source{Resolver: dnstest.New(t, zone)}, By: tlspolicy.ByDANE,
				Demanding: tlspolicytest.Query(t, "b.test", "mx.b.test"),
				Silent:    tlspolicytest.Query(t, "c.test", "mx.c.test"), // not signed
				Unknown:   tlspolicytest.Query(t, "b.test", unknown),
			}
		})
	}
}

// TestOnlyWhatIsSignedCounts: no record is asked for where the way to it may be forged.
func TestOnlyWhatIsSignedCounts(t *testing.T) {
	s := &dane.Source{Resolver: dnstest.New(t, zone)}
	for name, change := range map[string]func(*tlspolicy.Query){
		"where the mail goes": func(q *tlspolicy.Query) { q.Signed = false },
		"the addresses":       func(q *tlspolicy.Query) { q.HostSigned = false },
	} {
		q := tlspolicytest.Query(t, "b.test", "bad.b.test") // an answer would be an error
		change(&q)
		if d, err := s.Demand(t.Context(), q); err != nil || !d.IsZero() {
			t.Errorf("%s not signed: %+v, %v", name, d, err)
		}
	}
}

// TestTheNameBehindCNAMEGoesFirst is RFC 7672, 2.2.2.
func TestTheNameBehindCNAMEGoesFirst(t *testing.T) {
	const other = "\n_25._tcp.real.test AD\n_25._tcp.real.test TLSA 3 1 1 00000000000000000000000000000000000000000000000000000000000000aa"
	for text, want := range map[string]string{zone: "mx.b.test", zone + other: "real.test"} {
		q := tlspolicytest.Query(t, "b.test", "mx.b.test")
		q.Canonical = tlspolicytest.Name(t, "real.test")
		d, err := (&dane.Source{Resolver: dnstest.New(t, text)}).Demand(t.Context(), q)
		if err != nil || d.ServerName != want {
			t.Errorf("%q, %v; want %s", d.ServerName, err, want)
		}
	}
}

// TestWhichRecordsCount holds certificates against records: "CA" has made "mx.b.test",
// which the host shows together with it.
func TestWhichRecordsCount(t *testing.T) {
	ca, caKey := certificate(t, "CA", nil, nil, time.Hour)
	leaf, _ := certificate(t, "mx.b.test", ca, caKey, time.Hour)
	old, _ := certificate(t, "mx.b.test", ca, caKey, -time.Minute)
	other, _ := certificate(t, "elsewhere.test", ca, caKey, time.Hour)
	domain, _ := certificate(t, "b.test", ca, caKey, time.Hour)
	zeros := func(n int) string { return strings.Repeat("00", n) }
	s256 := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	s512 := func(b []byte) string { return fmt.Sprintf("%x", sha512.Sum512(b)) }
	for _, c := range []struct {
		name    string
		leaf    *x509.Certificate
		records []string
		level   tlspolicy.Level
		want    string // "" is good
	}{
		{"3 0 0", leaf, []string{fmt.Sprintf("3 0 0 %x", leaf.Raw)}, tlspolicy.Verified, ""},
		{"3 1 0", leaf, []string{fmt.Sprintf("3 1 0 %x", leaf.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"3 0 1", leaf, []string{"3 0 1 " + s256(leaf.Raw)}, tlspolicy.Verified, ""},
		{"3 1 2", leaf, []string{"3 1 2 " + s512(leaf.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"3 for what is behind the first certificate", leaf, []string{"3 1 1 " + s256(ca.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, "fits none"},
		{"3, expired and for another name", other, []string{"3 1 1 " + s256(other.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"2 0 1", leaf, []string{"2 0 1 " + s256(ca.Raw)}, tlspolicy.Verified, ""},
		{"2 1 2", leaf, []string{"2 1 2 " + s512(ca.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"2 0 0", leaf, []string{fmt.Sprintf("2 0 0 %x", ca.Raw)}, tlspolicy.Verified, ""},
		{"2 for the certificate itself", leaf, []string{"2 0 1 " + s256(leaf.Raw)}, tlspolicy.Verified, "fits none"}, // as OpenSSL has it
		{"2 0 0 for the certificate itself", leaf, []string{fmt.Sprintf("2 0 0 %x", leaf.Raw)}, tlspolicy.Verified, "fits none"},
		{"2, for the name of the domain", domain, []string{"2 1 1 " + s256(ca.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"2, expired", old, []string{"2 1 1 " + s256(ca.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, "expired"},
		{"2, for another name", other, []string{"2 1 1 " + s256(ca.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, "not mx.b.test"},
		{"a rollover: old and new", leaf, []string{"3 1 1 " + zeros(32), "3 1 1 " + s256(leaf.RawSubjectPublicKeyInfo)}, tlspolicy.Verified, ""},
		{"of digests the strongest counts", leaf, []string{"3 1 1 " + s256(leaf.RawSubjectPublicKeyInfo), "3 1 2 " + zeros(64)}, tlspolicy.Verified, "fits none"},
		{"but of each kind", leaf, []string{"3 1 1 " + s256(leaf.RawSubjectPublicKeyInfo), "3 0 2 " + zeros(64)}, tlspolicy.Verified, ""},
		{"usage 0 and 1, strange numbers, short digests", leaf, []string{"0 1 1 " + zeros(32), "1 1 1 " + zeros(32), "3 2 1 " + zeros(32), "3 1 3 " + zeros(32), "3 1 1 " + zeros(20), "3 0 0 00"}, tlspolicy.Encrypted, ""},
		{"one that counts among those", leaf, []string{"1 1 1 " + zeros(32), "3 1 1 " + zeros(32)}, tlspolicy.Verified, "fits none"},
	} {
		text := "_25._tcp.mx.b.test AD\n"
		for _, r := range c.records {
			text += "_25._tcp.mx.b.test TLSA " + r + "\n"
		}
		d, err := (&dane.Source{Resolver: dnstest.New(t, text)}).Demand(t.Context(), tlspolicytest.Query(t, "b.test", "mx.b.test"))
		if err != nil || d.Level != c.level {
			t.Errorf("%s: %+v, %v", c.name, d, err)
			continue
		}
		if d.Verify == nil {
			continue
		}
		err = d.Verify(tls.ConnectionState{ServerName: "mx.b.test", PeerCertificates: []*x509.Certificate{c.leaf, ca}})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func certificate(t *testing.T, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: parent == nil, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
