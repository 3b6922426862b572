package daemon

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"strings"
	"time"
)

// CertificateState is how a certificate of the house is.
type CertificateState struct {
	Name    string    // the first of those that it bears, or that it should
	Others  []string  // that it bears too
	Issuer  string    // who has signed it; "": it has itself, or there is none
	From    string    // the file, or the URL of the authority; "": it was made for the run
	Until   time.Time // the end of its time; zero: there is none
	Trouble string    // why there is no newer one; "": there is no trouble
	Next    time.Time // when an authority is asked for the next; zero: it is not known
}

// soon is how long before the end of a certificate it is told.
const soon = 7 * 24 * time.Hour

// Certificates are those that clients may be shown.
func (h *House) Certificates() []CertificateState { return h.keys.Load().states() }

func (c *certificates) states() (all []CertificateState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pairs {
		s := CertificateState{From: p.setting.Chain.Value}
		s.read(&p.is)
		if p.trouble != nil {
			s.Trouble = p.trouble.Error()
		}
		all = append(all, s)
	}
	if c.acme.keeper == nil {
		for _, name := range c.names {
			s, own := CertificateState{}, c.own[name]
			s.read(&own)
			s.Name, s.Others = name, nil
			all = append(all, s)
		}
		return all
	}
	for _, is := range c.acme.keeper.States() {
		s := CertificateState{Name: is.Name, From: c.acme.from, Next: is.Next}
		if is.Certificate != nil {
			s.read(is.Certificate)
			s.Name = is.Name
		}
		if is.Err != nil {
			s.Trouble = is.Err.Error()
		}
		all = append(all, s)
	}
	return all
}

// read takes over what a certificate says of itself; of one that there is not, nothing.
func (s *CertificateState) read(c *tls.Certificate) {
	if len(c.Certificate) == 0 {
		return
	}
	leaf := c.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return
		}
	}
	s.Name, s.Until, s.Issuer = leaf.Subject.CommonName, leaf.NotAfter, issuerOf(leaf)
	if len(leaf.DNSNames) > 0 {
		s.Name, s.Others = leaf.DNSNames[0], leaf.DNSNames[1:]
	}
}

// issuerOf is who has signed a certificate, by organization and name as far as they are
// said; "": it has itself.
func issuerOf(leaf *x509.Certificate) string {
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return ""
	}
	organization, name := strings.Join(leaf.Issuer.Organization, ", "), leaf.Issuer.CommonName
	if organization == "" || strings.Contains(name, organization) {
		return cmp.Or(name, leaf.Issuer.String())
	}
	return strings.TrimSpace(organization + " " + name)
}

// warn tells of certificates that end soon, of each once a day.
func (h *House) warn(told map[string]time.Time) {
	now := time.Now()
	for _, s := range h.Certificates() {
		left := s.Until.Sub(now)
		if s.From == "" || s.Until.IsZero() || left > soon || now.Sub(told[s.From+" "+s.Name]) < 24*time.Hour {
			continue
		}
		told[s.From+" "+s.Name] = now
		if left <= 0 {
			h.world.Log.Error("a certificate is over: other people's programs refuse it", "name", s.Name, "from", s.From, "since", s.Until.UTC())
			continue
		}
		h.world.Log.Warn("a certificate ends soon", "name", s.Name, "from", s.From, "until", s.Until.UTC())
	}
}

// silence is for servers whose trouble is of strangers' making.
func silence() *log.Logger { return log.New(io.Discard, "", 0) }
