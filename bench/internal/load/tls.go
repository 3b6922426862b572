package load

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"time"
)

// trusting is how a client of ours begins TLS: always with a full handshake (it remembers no
// session), with any certificate, since the server's was made for the measurement, and with
// X25519, which all servers know, so that all do the same work.
func trusting() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// DialTLS connects, says EHLO, has TLS begin by STARTTLS, and says EHLO again.
func DialTLS(ctx context.Context, addr string) (*Client, error) {
	c, err := Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err = c.startTLS(ctx); err != nil {
		c.Close()
		return nil, errors.Join(ctx.Err(), err)
	}
	return c, nil
}

func (c *Client) startTLS(ctx context.Context) error {
	if err := c.Say([]byte("STARTTLS\r\n"), '2'); err != nil {
		return err
	}
	secure := tls.Client(c.nc, trusting())
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.nc, c.r = secure, bufio.NewReaderSize(secure, 512)
	return c.Say([]byte("EHLO bench.test\r\n"), '2')
}

// Certificate writes the files of a certificate that vouches for itself, and of its key: of
// ECDSA with P-256, as authorities sign most of today.
func Certificate(chain, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	is := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench.test"}, DNSNames: []string{"bench.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(writePEM(chain, "CERTIFICATE", der), writePEM(key, "PRIVATE KEY", secret))
}

func writePEM(name, kind string, der []byte) error {
	return os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
