package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"
)

// TestCertificateState: what a certificate says of itself is told.
func TestCertificateState(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		by     pkix.Name
		issuer string
	}{
		{pkix.Name{Organization: []string{"Let's Encrypt"}, CommonName: "R11"}, "Let's Encrypt R11"},
		{pkix.Name{Organization: []string{"ZeroSSL"}, CommonName: "ZeroSSL RSA CA"}, "ZeroSSL RSA CA"},
		{pkix.Name{CommonName: "our own"}, "our own"},
		{pkix.Name{Country: []string{"CN"}}, "C=CN"},
		{pkix.Name{CommonName: "mx.example.org"}, ""},
	} {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example.org"}, NotAfter: until,
			DNSNames: []string{"mx.example.org", "mail.example.org"},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{Subject: c.by}, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		var s CertificateState
		s.read(&tls.Certificate{Certificate: [][]byte{der}})
		if s.Name != "mx.example.org" || !slices.Equal(s.Others, []string{"mail.example.org"}) || s.Issuer != c.issuer || !s.Until.Equal(until) {
			t.Errorf("by %v: %+v, want %q", c.by, s, c.issuer)
		}
	}
	var none CertificateState
	none.read(&tls.Certificate{})
	none.read(&tls.Certificate{Certificate: [][]byte{[]byte("rubbish")}})
	if none.Name != "" || !none.Until.IsZero() {
		t.Errorf("of nothing it is told %+v", none)
	}
}
