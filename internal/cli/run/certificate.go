package run

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/smtp"
)

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
