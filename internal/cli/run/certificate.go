package run

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// makeCertificate makes a certificate for this machine's names. Its key is
// nowhere but in memory.
func makeCertificate(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "posthouse run"},
		DNSNames:              []string{"localhost", hostname()},
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

// hostname is the name of this machine, if it can stand in a greeting.
func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	if _, err := smtp.ParseDomain(host); err != nil {
		return "localhost"
	}
	return host
}

func tlsConfig(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
}

// writeCertificate puts the certificate where clients of this machine find it.
// The file of the last run is replaced as a whole.
func (d *data) writeCertificate(c tls.Certificate) error {
	path := filepath.Join(d.dir, certificateName)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	err := os.WriteFile(path+".new", text, 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return dataFault(d.dir, err)
	}
	return nil
}
