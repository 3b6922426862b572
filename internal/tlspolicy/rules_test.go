package tlspolicy_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/tlspolicytest"
)

var origin = mail.Origin{File: "main.hcl", Line: 3, Column: 1}

func TestSuite(t *testing.T) {
	tlspolicytest.Run(t, func(t *testing.T) tlspolicytest.Subject {
		return tlspolicytest.Subject{
			Source:    tlspolicy.Rules{{Domain: "b.test", Level: tlspolicy.Verified, Origin: origin}},
			By:        tlspolicy.ByConfiguration,
			Demanding: tlspolicytest.Query(t, "b.test", "mx.b.test"), Silent: tlspolicytest.Query(t, "a.b.test", "mx.b.test"),
		}
	})
}

func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	rules := tlspolicy.Rules{
		{Domain: "a.test", Level: tlspolicy.Never},
		{Domain: ".a.test", Level: tlspolicy.Encrypted},
		{Domain: "*", Level: tlspolicy.Verified},
	}
	for domain, want := range map[string]tlspolicy.Level{
		"a.test": tlspolicy.Never, "b.a.test": tlspolicy.Encrypted, "c.b.a.test": tlspolicy.Encrypted,
		"ba.test": tlspolicy.Verified, "test": tlspolicy.Verified,
	} {
		if d, err := rules.Demand(t.Context(), tlspolicytest.Query(t, domain, "mx.test")); err != nil || d.Level != want || d.FromRecipient() {
			t.Errorf("%s: %+v, %v", domain, d, err)
		}
	}
}

// says is a source with one answer.
type says struct {
	d   tlspolicy.Demand
	err error
}

func (s says) Demand(context.Context, tlspolicy.Query) (tlspolicy.Demand, error) { return s.d, s.err }

func TestInOrder(t *testing.T) {
	nothing := says{}
	lost := says{d: tlspolicy.Demand{Fault: errors.New("lost")}}
	testing := says{d: tlspolicy.Demand{By: "testing", Testing: true}}
	memory := says{d: tlspolicy.Demand{By: "memory", Level: tlspolicy.Verified}}
	forged := says{err: dns.ErrBogus}
	for _, c := range []struct {
		sources tlspolicy.InOrder
		want    string
	}{
		{nil, ""},
		{tlspolicy.InOrder{nothing, memory, forged}, "memory"},
		{tlspolicy.InOrder{nothing, forged, memory}, "validation failed"},
		{tlspolicy.InOrder{testing, nothing}, "testing"},
		{tlspolicy.InOrder{testing, memory}, "memory"},
		{tlspolicy.InOrder{lost, nothing}, "lost"},
		{tlspolicy.InOrder{lost, testing}, "testing"},
		{tlspolicy.InOrder{lost, memory}, "memory"},
	} {
		d, err := c.sources.Demand(t.Context(), tlspolicy.Query{})
		got := d.By
		switch {
		case err != nil:
			got = err.Error()
		case d.Fault != nil && d.By == "":
			got = d.Fault.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.sources, got, c.want)
		}
	}
}

func TestKindOfFailure(t *testing.T) {
	for _, c := range []struct {
		err  error
		want tlspolicy.Failure
	}{
		{nil, ""},
		{fmt.Errorf("MX: %w", dns.ErrBogus), tlspolicy.DNSSECInvalid},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, tlspolicy.CertificateHostMismatch},
		{x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}, tlspolicy.CertificateExpired},
		{x509.UnknownAuthorityError{}, tlspolicy.CertificateNotTrusted},
		{&tlspolicy.FailureError{Failure: tlspolicy.STSPolicyFetch, Err: errors.New("x")}, tlspolicy.STSPolicyFetch},
		{errors.New("cut"), tlspolicy.ValidationFailure},
	} {
		if got := (&tlspolicy.Result{Err: c.err}).Kind(); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
	if tlspolicy.IsVerification(errors.New("cut")) || !tlspolicy.IsVerification(x509.UnknownAuthorityError{}) {
		t.Error("what is about the certificate, and what about the network")
	}
}

func TestLine(t *testing.T) {
	if got := tlspolicy.Line("a\r\nb\x1b[2J\xff\u202e" + strings.Repeat("x", 1000)); strings.ContainsAny(got, "\r\n\x1b\u202e") || len(got) > 520 {
		t.Errorf("%q", got)
	}
}
