package run

import (
	"crypto/tls"
	"encoding/pem"
	"os"

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

// certificateName is the file in the data directory that holds the certificate of the run.
const certificateName = "certificate.pem"

func pemOf(c *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}
