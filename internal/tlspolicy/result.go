package tlspolicy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/posthouse/posthouse/internal/dns"
)

// Result is how security turned out at a host: of a session, or of an attempt to begin
// one.
type Result struct {
	At     time.Time
	Query  Query
	Demand Demand
	Addr   netip.AddrPort // invalid if it did not come to a connection

	Encrypted bool  // there is TLS
	Verified  bool  // and the certificate is as the demand has it, or good for the host's name
	Err       error // why it is not as was demanded; or would have been, in testing
}

// Failure names what went wrong, in the words of reports (RFC 8460, 4.3); "" if nothing did.
type Failure string

// The failures that we can tell.
const (
	StartTLSNotSupported    Failure = "starttls-not-supported"
	CertificateHostMismatch Failure = "certificate-host-mismatch"
	CertificateNotTrusted   Failure = "certificate-not-trusted"
	CertificateExpired      Failure = "certificate-expired"
	ValidationFailure       Failure = "validation-failure"
	TLSAInvalid             Failure = "tlsa-invalid"
	DNSSECInvalid           Failure = "dnssec-invalid"
	STSPolicyFetch          Failure = "sts-policy-fetch-error"
	STSPolicyInvalid        Failure = "sts-policy-invalid"
	STSWebPKIInvalid        Failure = "sts-webpki-invalid"
)

// FailureError is an error that says which failure it is.
type FailureError struct {
	Failure Failure
	Err     error
}

func (e *FailureError) Error() string { return Line(e.Err.Error()) }

// Unwrap returns the reason.
func (e *FailureError) Unwrap() error { return e.Err }

// Kind says which failure the Err of the result is.
func (r *Result) Kind() Failure {
	var named *FailureError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case r.Err == nil:
		return ""
	case errors.As(r.Err, &named):
		return named.Failure
	case errors.Is(r.Err, dns.ErrBogus):
		return DNSSECInvalid
	case errors.As(r.Err, &host):
		return CertificateHostMismatch
	case errors.As(r.Err, &invalid) && invalid.Reason == x509.Expired:
		return CertificateExpired
	case errors.As(r.Err, &authority):
		return CertificateNotTrusted
	}
	return ValidationFailure
}

// IsVerification reports whether an error of a connection is about the certificate, and
// not about the network.
func IsVerification(err error) bool {
	var tlsError *tls.CertificateVerificationError
	var named *FailureError
	return errors.As(err, &tlsError) || errors.As(err, &named) || (&Result{Err: err}).Kind() != ValidationFailure
}

// Observer hears of results. It may be called by many goroutines, and may write to the disk.
type Observer interface {
	Note(ctx context.Context, r Result)
}

// Observers are told one after the other.
type Observers []Observer

// Note implements [Observer].
func (o Observers) Note(ctx context.Context, r Result) {
	for _, each := range o {
		each.Note(ctx, r)
	}
}

// Line makes one printable line of what may have come from outside, of at most 500 octets.
func Line(s string) string {
	const most = 500
	s = strings.ToValidUTF8(s[:min(len(s), most)], "?")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
