package smtpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// TLSPolicy says how much security a connection must have.
type TLSPolicy int

// The policies. The zero value is the strict one, so that whoever sets nothing
// leaks nothing.
const (
	// TLSRequire: STARTTLS (RFC 3207), with a certificate that is good for the
	// server's name; otherwise there is no connection.
	TLSRequire TLSPolicy = iota
	// TLSOpportunistic: STARTTLS if it is offered and works; the certificate is
	// looked at, but mail is sent even if it is no good. This keeps out those
	// who only listen (RFC 7435).
	TLSOpportunistic
	// TLSImplicit: TLS from the first octet (RFC 8314), with a certificate that
	// is good for the server's name.
	TLSImplicit
	// TLSNever: everything is sent in the clear.
	TLSNever
)

// Errors about what a server does not offer, or should not have done.
var (
	// ErrNotOffered says that the server does not offer what is required.
	ErrNotOffered = errors.New("the server does not offer it")
	// ErrInjected says that octets followed the server's answer to STARTTLS
	// outside TLS: somebody else may have put them there.
	ErrInjected = errors.New("octets in the clear came behind the answer to STARTTLS")
)

// handshakeError is a TLS handshake that failed.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// implicitTLS secures the connection before the first word, if it is to be.
func (c *Conn) implicitTLS() error {
	if c.policy != TLSImplicit {
		return nil
	}
	return c.handshake(smtp.VerbUnknown, c.d.Timeouts.connect())
}

// startTLS secures the connection after EHLO, as the policy has it.
func (c *Conn) startTLS() error {
	switch {
	case c.policy == TLSImplicit || c.policy == TLSNever:
		return nil
	case !c.ext.Has(smtp.ExtStartTLS) && c.policy == TLSOpportunistic:
		return nil
	case !c.ext.Has(smtp.ExtStartTLS):
		return &ConnectionError{smtp.VerbSTARTTLS, ErrNotOffered}
	}
	r, err := c.ask(smtp.StartTLS{})
	if err != nil {
		return err
	}
	if !r.Code.Positive() {
		return c.refusedTLS(refusal(smtp.VerbSTARTTLS, r))
	}
	if c.r.Buffered() > 0 {
		return &ConnectionError{smtp.VerbSTARTTLS, ErrInjected}
	}
	if err := c.handshake(smtp.VerbSTARTTLS, c.d.Timeouts.of(smtp.VerbSTARTTLS)); err != nil {
		return err
	}
	return c.hello() // RFC 3207, 4.2: what was learned before is forgotten
}

// refusedTLS is what follows a refusal of STARTTLS: nothing, if TLS was not required.
func (c *Conn) refusedTLS(no error) error {
	if c.policy == TLSOpportunistic && c.dead == nil {
		c.tlsErr = &ConnectionError{smtp.VerbSTARTTLS, no}
		return nil
	}
	return &ConnectionError{smtp.VerbSTARTTLS, no}
}

// handshake puts TLS over the connection.
func (c *Conn) handshake(stage smtp.Verb, limit time.Duration) error {
	t := tls.Client(c.nc, c.tlsConfig())
	if err := errors.Join(c.readWithin(limit), c.writeWithin(limit)); err != nil {
		return &ConnectionError{stage, err}
	}
	// The deadline bounds the handshake, and under sets it when ctx ends.
	if err := t.HandshakeContext(context.WithoutCancel(c.ctx)); err != nil {
		return &ConnectionError{stage, &handshakeError{err}}
	}
	c.nc, c.secure = t, true
	c.r.Reset(t)
	c.trace.tls(t.ConnectionState())
	return nil
}

// tlsConfig returns the configuration for one connection. An opportunistic one
// goes on with a bad certificate, and remembers that it was bad.
func (c *Conn) tlsConfig() *tls.Config {
	config := c.d.TLSConfig.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = c.host
	}
	if c.policy == TLSOpportunistic && !config.InsecureSkipVerify {
		config.VerifyConnection = c.look(config)
		config.InsecureSkipVerify = true
	} else if config.InsecureSkipVerify && config.VerifyConnection == nil {
		c.tlsErr = errors.New("the certificate was not verified: InsecureSkipVerify is set")
	}
	return config
}

// look returns a function that verifies a certificate as package tls would with
// the configuration, and puts the error into c.tlsErr rather than return it.
func (c *Conn) look(config *tls.Config) func(tls.ConnectionState) error {
	roots, name, now, also := config.RootCAs, config.ServerName, config.Time, config.VerifyConnection
	return func(s tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool()}
		if now != nil {
			options.CurrentTime = now()
		}
		for _, cert := range s.PeerCertificates[1:] {
			options.Intermediates.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(options)
		if err == nil && also != nil {
			err = also(s)
		}
		if err != nil {
			c.tlsErr = fmt.Errorf("certificate of %s: %w", name, err)
		}
		return nil
	}
}
