package dane

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Fields of TLSA records (RFC 6698, 7.2 to 7.4).
const (
	usageTA = 2 // a trust anchor
	usageEE = 3 // the host's own certificate

	whole     = 0
	publicKey = 1

	exact        = 0
	sha256Digest = 1
	sha512Digest = 2
)

// strongest returns the records that count.
func strongest(records []dns.TLSA) []dns.TLSA {
	type kind struct{ usage, selector uint8 }
	best := map[kind]uint8{}
	for _, r := range records {
		if usable(r) && r.Matching > best[kind{r.Usage, r.Selector}] {
			best[kind{r.Usage, r.Selector}] = r.Matching
		}
	}
	var count []dns.TLSA
	for _, r := range records {
		if usable(r) && (r.Matching == exact || r.Matching == best[kind{r.Usage, r.Selector}]) {
			count = append(count, r)
		}
	}
	return count
}

func usable(r dns.TLSA) bool {
	if r.Usage != usageTA && r.Usage != usageEE || r.Selector > publicKey {
		return false
	}
	switch r.Matching {
	case exact:
		if r.Selector == whole {
			_, err := x509.ParseCertificate(r.Data)
			return err == nil
		}
		_, err := x509.ParsePKIXPublicKey(r.Data)
		return err == nil
	case sha256Digest:
		return len(r.Data) == sha256.Size
	case sha512Digest:
		return len(r.Data) == sha512.Size
	}
	return false
}

// matches reports whether a record means a certificate.
func matches(r dns.TLSA, c *x509.Certificate) bool {
	octets := c.Raw
	if r.Selector == publicKey {
		octets = c.RawSubjectPublicKeyInfo
	}
	switch r.Matching {
	case sha256Digest:
		sum := sha256.Sum256(octets)
		octets = sum[:]
	case sha512Digest:
		sum := sha512.Sum512(octets)
		octets = sum[:]
	}
	return bytes.Equal(octets, r.Data)
}

// maxChain is how many certificates of a host are looked at.
const maxChain = 10

// verifier returns a function that judges a certificate by records. names are those of
// which one of usage 2 must bear one (RFC 7672, 3.2.3).
func verifier(records []dns.TLSA, names []string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("DANE: the host has shown no certificate")
		}
		shown := s.PeerCertificates[:min(len(s.PeerCertificates), maxChain)]
		for _, r := range records {
			// RFC 7672, 3.1.1: neither its names nor its dates matter.
			if r.Usage == usageEE && matches(r, shown[0]) {
				return nil
			}
		}
		if anchors := anchorsOf(records, shown); len(anchors) > 0 {
			return anchoredChain(s, anchors, names)
		}
		return &tlspolicy.FailureError{
			Failure: tlspolicy.ValidationFailure,
			Err:     fmt.Errorf("DANE: the certificate fits none of the TLSA records (%s)", summary(records)),
		}
	}
}

// anchorsOf are the certificates that records of usage 2 mean. That of the host is none:
// it is another one that vouches for it.
func anchorsOf(records []dns.TLSA, shown []*x509.Certificate) (anchors []*x509.Certificate) {
	for _, r := range records {
		if r.Usage != usageTA {
			continue
		}
		for _, c := range shown[1:] {
			if matches(r, c) {
				anchors = append(anchors, c)
			}
		}
		if r.Matching == exact && r.Selector == whole { // the host need not show it
			if c, err := x509.ParseCertificate(r.Data); err == nil && !c.Equal(shown[0]) {
				anchors = append(anchors, c)
			}
		}
	}
	return anchors
}

// anchoredChain verifies a chain that ends at one of the anchors, for one of the names.
func anchoredChain(s tls.ConnectionState, anchors []*x509.Certificate, names []string) error {
	roots := x509.NewCertPool()
	for _, c := range anchors {
		roots.AddCert(c)
	}
	var first error
	for _, name := range names {
		err := tlspolicy.Chain(s, roots, name)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("DANE: %w", first)
}

func summary(records []dns.TLSA) string {
	const most = 3
	s := ""
	for i, r := range records {
		if i == most {
			return s + ", ..."
		}
		if i > 0 {
			s += ", "
		}
		s += r.String()
	}
	return s
}
