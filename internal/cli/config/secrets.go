package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// maxFile is the longest certificate or password file, in octets.
const maxFile = 1 << 20

// secrets looks at certificates and passwords.
func (r *report) secrets(c *config.Config) {
	for _, x := range c.Certificates {
		chain, ok := r.read(x.Chain)
		key, also := r.read(x.Key)
		if !ok || !also {
			continue
		}
		if _, err := tls.X509KeyPair(chain, key); err != nil {
			r.add(x.Origin, "the certificate cannot be used: %v", err)
		}
	}
	for i := range c.Routes {
		route := &c.Routes[i]
		if ca, ok := r.read(route.CA); ok && !x509.NewCertPool().AppendCertsFromPEM(ca) {
			r.add(route.CA.Origin, "%q holds no certificate in PEM form", route.CA.Value)
		}
		if text, ok := r.read(route.PasswordFile); ok && !hasPassword(text) {
			r.add(route.PasswordFile.Origin, "the first line of %q is empty; it must be the password", route.PasswordFile.Value)
		}
	}
}

// hasPassword reports whether the first line is not empty.
func hasPassword(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	return len(bytes.TrimRight(first, "\r")) > 0
}

// read reads a file that a setting names; it is not ok if it names none.
func (r *report) read(s config.Setting[string]) (text []byte, ok bool) {
	if !s.Given() {
		return nil, false
	}
	f, err := plainfile.Disk{}.Open(s.Value)
	if err == nil {
		text, err = plainfile.Read(f, maxFile)
	}
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		r.add(s.Origin, "cannot read %q: %v", s.Value, err)
		return nil, false
	}
	return text, true
}
