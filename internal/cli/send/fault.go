package send

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"syscall"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// explain gives an error of a connection the status to end with, and says what
// may help.
func (o *options) explain(err error) error {
	return cli.Fail(connectionStatus(err), "%s: %s%s", o.server, plain(err), o.advice(err))
}

func connectionStatus(err error) cli.Status {
	var auth *smtpclient.AuthError
	var reply *smtp.Reply
	var unexpected *smtpclient.UnexpectedReplyError
	var malformed *smtp.MalformedReplyError
	var dial *smtpclient.ConnectionError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &auth) && auth.Reply.Code.Temporary():
		return cli.TempFail
	case errors.As(err, &auth), isAny(err, smtpclient.ErrPlaintext, smtpclient.ErrNoMechanism, smtpclient.ErrServerProof):
		return cli.NoPerm
	case errors.As(err, &malformed), errors.Is(err, smtp.ErrReplyTooLong), isAny(err, smtp.ErrBareLF, smtp.ErrBareCR, smtp.ErrLineTooLong, smtp.ErrFlood):
		return cli.Protocol
	case errors.As(err, &reply) && reply.Code.Permanent():
		return cli.Unavailable
	case errors.As(err, &reply) && reply.Code.Temporary():
		return cli.TempFail
	case errors.As(err, &unexpected), errors.As(err, &record), errors.Is(err, smtpclient.ErrInjected):
		return cli.Protocol
	case errors.Is(err, smtpclient.ErrNotOffered), isCertificateFault(err):
		return cli.Unavailable
	case errors.As(err, &dial) && dial.Stage == smtp.VerbUnknown:
		return cli.DialStatus(err)
	}
	return cli.TempFail
}

func (o *options) advice(err error) string {
	var stage smtp.Verb
	var at *smtpclient.ConnectionError
	if errors.As(err, &at) {
		stage = at.Stage
	}
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && o.server == cli.LocalServer:
		return " (posthouse run starts a server there)"
	case isCertificateFault(err):
		return " (name the certificates to trust with --ca FILE, or do without that with --tls opportunistic)"
	case errors.Is(err, smtpclient.ErrNotOffered) && stage == smtp.VerbSTARTTLS:
		return " (--tls opportunistic does without)"
	case stage == smtp.Greeting && errors.Is(err, io.ErrUnexpectedEOF) && o.tls != "implicit":
		return " (if it begins with TLS, say --tls implicit)"
	case errors.As(err, &record):
		return " (the server does not begin with TLS: --tls require says STARTTLS)"
	case errors.Is(err, smtpclient.ErrPlaintext):
		return " (use --tls require, with --ca FILE if need be, or allow it with --allow-plaintext-auth)"
	}
	return ""
}

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

func isCertificateFault(err error) bool {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}
