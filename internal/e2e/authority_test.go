package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// authority vouches for hosts, in a world of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), file: filepath.Join(directory(t), "ca.pem")}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority for a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der := a.sign(t, template, template, a.key)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	check(t, err)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// certify makes files of a certificate for an address and of its key.
func (a *authority) certify(t *testing.T, addr string) (chain, key string) {
	t.Helper()
	own := newKey(t)
	der := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: addr}, IPAddresses: []net.IP{net.ParseIP(addr)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, own)
	private, err := x509.MarshalPKCS8PrivateKey(own)
	check(t, err)
	dir := directory(t)
	chain, key = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, chain, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", private)
	return chain, key
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	check(t, err)
	return der
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	write(t, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
