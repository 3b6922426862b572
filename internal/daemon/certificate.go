package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"time"
)

// SelfMade makes a certificate for a host and for this machine's own names, valid
// for a year from now. Its key is nowhere but in memory.
func SelfMade(now time.Time, host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "posthouse run"},
		DNSNames:              []string{"localhost", host},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             now.Add(-time.Hour), // for clocks that are behind
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // of itself alone: there is no other use of the key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// certificates are those of the configuration, or one that is made for the run.
// The client's SNI chooses among several.
func (b *builder) certificates() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, s := range b.cfg.Certificates {
		chain, ok := b.file(s.Chain)
		key, also := b.file(s.Key)
		if !ok || !also {
			continue
		}
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			b.add(s.Origin, "the certificate cannot be used: %v", err)
		}
		c.Certificates = append(c.Certificates, pair)
	}
	if len(b.cfg.Certificates) > 0 {
		return c, nil
	}
	own, err := SelfMade(time.Now(), b.cfg.Hostname.Value)
	c.Certificates = []tls.Certificate{own}
	return c, err
}
