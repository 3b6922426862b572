package talk

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

func (s *session) sayStartTLS(string) error {
	if err := s.say("STARTTLS"); err != nil || s.ended {
		return err
	}
	if s.last != 220 {
		return cli.Fail(cli.Protocol, "STARTTLS was not accepted")
	}
	return s.startTLS()
}

func (s *session) startTLS() error {
	state, left, err := s.peer.startTLS(s.config)
	for _, line := range left {
		s.note("came in the clear before TLS and is ignored: %s", line)
	}
	if err != nil {
		return cli.Fail(cli.Unavailable, "TLS: %w", err)
	}
	s.trusted = s.describe(state)
	return s.passed("tls")
}

// describe tells of the TLS that was agreed on, and whether the certificate is
// one to trust.
func (s *session) describe(state tls.ConnectionState) (trusted bool) {
	s.note("%s with %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	cert := state.PeerCertificates[0]
	pool := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{DNSName: s.config.ServerName, Roots: s.config.RootCAs, Intermediates: pool})
	verdict := "valid for " + s.config.ServerName
	if err != nil {
		verdict = "NOT VALID: " + err.Error()
	}
	s.note("certificate of %s, by %s, until %s: %s", cert.Subject, cert.Issuer, cert.NotAfter.Format(time.DateOnly), verdict)
	return err == nil
}
