package tlspolicy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Rule is what the configuration says about the mail of some domains.
type Rule struct {
	// Domain is "example.org", ".example.org" for what is below it, or "*".
	Domain string
	Level  Level
	// Names are those of which the certificate must bear one, at level Verified:
	// "mx.example.org", or ".example.org" for what is below it. None: the host's own.
	Names []string
	// Roots vouch for the certificate; nil: those of the system.
	Roots  *x509.CertPool
	Origin mail.Origin
}

// Rules are asked from the first to the last. The first that fits decides.
type Rules []Rule

// Demand implements [Source].
func (rs Rules) Demand(_ context.Context, q Query) (Demand, error) {
	for i := range rs {
		if r := &rs[i]; fits(r.Domain, q.Domain.String()) {
			return r.demand(), nil
		}
	}
	return Demand{}, nil
}

func (r *Rule) demand() Demand {
	d := Demand{
		By: ByConfiguration, Level: r.Level, Origin: r.Origin,
		Why: fmt.Sprintf("tls %q in %s", r.Domain, r.Origin), Key: "rule " + r.Domain + " " + r.Origin.String(),
	}
	if r.Level == Verified && (len(r.Names) > 0 || r.Roots != nil) {
		d.Verify = r.verify
	}
	return d
}

// verify judges a certificate by the names and the authorities of the rule.
func (r *Rule) verify(s tls.ConnectionState) error {
	if len(r.Names) == 0 {
		return Chain(s, r.Roots, s.ServerName)
	}
	if err := Chain(s, r.Roots, ""); err != nil {
		return err
	}
	for _, name := range r.Names {
		for _, bears := range s.PeerCertificates[0].DNSNames {
			if fits(name, strings.ToLower(bears)) {
				return nil
			}
		}
		if s.PeerCertificates[0].VerifyHostname(strings.TrimPrefix(name, ".")) == nil && name[0] != '.' {
			return nil
		}
	}
	return &FailureError{CertificateHostMismatch, fmt.Errorf("the certificate bears none of the names %s", strings.Join(r.Names, ", "))}
}

// fits reports whether a name is the pattern, or below it if it begins with a dot.
func fits(pattern, name string) bool {
	if strings.HasPrefix(pattern, ".") {
		return strings.HasSuffix(name, pattern)
	}
	return pattern == "*" || pattern == name
}

// errNoCertificate cannot happen in a handshake that was completed.
var errNoCertificate = errors.New("the host has shown no certificate")

// Chain verifies that an authority vouches for the certificate of a connection, now, and
// for a name if there is one. roots nil stands for those of the system.
func Chain(s tls.ConnectionState, roots *x509.CertPool, name string) error {
	if len(s.PeerCertificates) == 0 {
		return errNoCertificate
	}
	o := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}
