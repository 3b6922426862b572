package dkim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

const fieldName = "DKIM-Signature"

// VerifyOptions bound a verification. The zero value is good.
type VerifyOptions struct {
	// Signatures is how many are verified, from the top. Default 8. Each costs
	// at most a lookup, a hash of the header and a public-key operation.
	Signatures int
}

// Result tells of one signature.
type Result struct {
	// Verdict is:
	//   - Pass: the domain signed this message;
	//   - Fail: it did not sign what came here, or the signature has expired;
	//   - Policy: it signed a part of the body only (l=), or the signature is
	//     beyond the number that is verified;
	//   - PermError: the signature or its key cannot be used;
	//   - TempError: the DNS did not answer.
	Verdict senderauth.Verdict
	// Domain and Selector name the key (d= and s=), in lower case.
	Domain, Selector string
	// Identity is the i= tag, if there is one: "@example.org".
	Identity string
	// Algorithm is the a= tag.
	Algorithm senderauth.Algorithm
	// Fields are the names that the signature covers (h=).
	Fields []string
	// Tag is the beginning of the signature, to tell it from others with the
	// same key (header.b: RFC 6008).
	Tag string
	// Testing says that the domain wants a failure to mean nothing (t=y).
	Testing bool
	// Authentic says that the key came in an answer authenticated with DNSSEC.
	Authentic bool
	// Err tells why it is no Pass, for the operator.
	Err error
}

var (
	errExpired = errors.New("the signature has expired")
	errNoFrom  = errors.New("the signature does not cover From")
)

// Verifier verifies the signatures of one message. The body is written to it.
type Verifier struct {
	header  message.Header
	found   []candidate
	skipped int
	body    senderauth.Body
}

// candidate is one signature field.
type candidate struct {
	field message.RawField
	sig   *senderauth.Signature // nil after an early error
	res   Result
}

// NewVerifier reads the signatures in a header. It keeps the header, and does
// not ask the DNS yet.
func NewVerifier(h message.Header, o VerifyOptions) *Verifier {
	if o.Signatures <= 0 {
		o.Signatures = 8
	}
	v := &Verifier{header: h}
	for _, f := range h {
		switch {
		case !strings.EqualFold(f.Name(), fieldName):
		case len(v.found) == o.Signatures:
			v.skipped++
		default:
			v.add(f)
		}
	}
	return v
}

func (v *Verifier) add(f message.RawField) {
	c := candidate{field: f}
	if err := c.parse(); err != nil {
		c.sig, c.res.Verdict, c.res.Err = nil, senderauth.PermError, err
	} else {
		v.body.Want(c.sig.BodyForm)
	}
	v.found = append(v.found, c)
}

// parse reads a signature field and checks it by itself (RFC 6376, 6.1.1).
func (c *candidate) parse() error {
	_, value, _ := strings.Cut(string(c.field), ":")
	tags, err := senderauth.ParseTagList(value)
	if err != nil {
		return err
	}
	c.res.Identity = squeezed(tags, "i")
	b := squeezed(tags, "b")
	c.res.Tag = b[:min(8, len(b))]
	sig, err := senderauth.ParseSignature(tags)
	if sig != nil {
		c.res.Domain, c.res.Selector = sig.Domain, sig.Selector
		c.res.Algorithm, c.res.Fields = sig.Algorithm, sig.Names
	}
	if err != nil {
		return err
	}
	c.sig = sig
	return c.check(tags)
}

func squeezed(tags senderauth.TagList, name string) string {
	value, _ := tags.Get(name)
	return senderauth.Squeeze(value)
}

func (c *candidate) check(tags senderauth.TagList) error {
	if version, _ := tags.Get("v"); version != "1" {
		return errors.New("tag v= is not 1")
	}
	if !slices.ContainsFunc(c.sig.Names, func(n string) bool { return strings.EqualFold(n, "From") }) {
		return errNoFrom
	}
	if q, ok := tags.Get("q"); ok && !slices.Contains(senderauth.Fields(q), "dns/txt") {
		return errors.New("tag q= does not allow dns/txt")
	}
	if c.res.Identity != "" && !isWithin(identityDomain(c.res.Identity), c.sig.Domain) {
		return errors.New("tag i= is not within d=")
	}
	return nil
}

// identityDomain returns what stands behind the last @ of an i=; nothing if
// there is none.
func identityDomain(identity string) string {
	at := strings.LastIndexByte(identity, '@')
	domain, err := senderauth.ParseDomain(identity[at+1:])
	if at < 0 || err != nil {
		return ""
	}
	return domain
}

// isWithin reports whether name is domain or below it.
func isWithin(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// Write takes a piece of the body, of any size. It does not fail.
func (v *Verifier) Write(p []byte) (int, error) { return v.body.Write(p) }

// Results ends the body and returns what is to be said of each signature, from
// the top. An unsigned message has none. One result more, without a Domain, says
// how many signatures were not looked at.
func (v *Verifier) Results(ctx context.Context, r senderauth.Resolver) []Result {
	keys := &senderauth.Keys{Resolver: r}
	var all []Result
	for i := range v.found {
		c := &v.found[i]
		if c.sig != nil {
			c.res.Err = v.verify(ctx, keys, c)
			c.res.Verdict = judge(c.res.Err)
		}
		all = append(all, c.res)
	}
	if v.skipped > 0 {
		err := fmt.Errorf("%d more signatures were not looked at", v.skipped)
		all = append(all, Result{Verdict: senderauth.Policy, Err: err})
	}
	return all
}

// verify does what costs something: cheapest first (RFC 6376, 6.1.2 and 6.1.3).
func (v *Verifier) verify(ctx context.Context, keys *senderauth.Keys, c *candidate) error {
	if x := c.sig.Expires; !x.IsZero() && time.Now().After(x) {
		return errExpired
	}
	if err := c.sig.CheckBody(&v.body); err != nil {
		return err
	}
	key, err := keys.Get(ctx, c.sig.Selector, c.sig.Domain)
	if err != nil {
		return err
	}
	c.res.Testing, c.res.Authentic = key.Testing, key.Authentic
	if key.Strict && c.res.Identity != "" && identityDomain(c.res.Identity) != c.sig.Domain {
		return fmt.Errorf("%w: t=s, but i= is below d=", senderauth.ErrKeySyntax)
	}
	digest := senderauth.Digest(c.sig, v.header, c.field)
	return senderauth.VerifyDigest(key.Public, c.sig.Algorithm, digest, c.sig.Value)
}

func judge(err error) senderauth.Verdict {
	if err == errExpired {
		return senderauth.Fail
	}
	return senderauth.Judge(err)
}

// Verify reads a message to its end and returns the results of its signatures.
// The error is that of the reader, or a [*message.HeaderError] for a header of
// more than 1 MiB or 1,000 fields.
func Verify(ctx context.Context, r senderauth.Resolver, msg io.Reader, o VerifyOptions) ([]Result, error) {
	h, body, err := message.ReadHeader(msg, message.HeaderLimits{})
	if err != nil {
		return nil, err
	}
	v := NewVerifier(h, o)
	if _, err := io.Copy(v, body); err != nil {
		return nil, err
	}
	return v.Results(ctx, r), nil
}
