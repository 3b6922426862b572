package cli

import (
	"crypto/x509"
	"os"
)

// ReadCertificates reads a file of trusted certificates in PEM form. Without a
// path it returns nil, which stands for those of the system.
func ReadCertificates(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, Fail(NoInput, "%w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, Fail(NoInput, "%s holds no certificate in PEM form", path)
	}
	return pool, nil
}
