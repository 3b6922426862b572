package arc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// Result is the answer for a message.
type Result struct {
	// Verdict is None if there is no chain, Pass if all of it holds, else Fail:
	// also if the DNS did not answer (RFC 8617, 5.2.1).
	Verdict senderauth.Verdict
	// Sets are the sealers, oldest first, if the Verdict is Pass.
	Sets []Set
	// Err tells why it is Fail.
	Err error
}

// Set is what one sealer said.
type Set struct {
	// Domain and Selector name the key of the seal.
	Domain, Selector string
	// Results is what the sealer saw when the message came to it. It is empty
	// if that cannot be read.
	Results senderauth.Results
}

// Vouched returns what the first trusted sealer saw: going back from the last
// one as long as they are trusted. It reports false if the chain does not hold
// or if its last sealer is not trusted. The domains that trusted is asked for are
// in lower case. A DMARC failure may be overridden if the results have a
// dmarc=pass.
func (r Result) Vouched(trusted func(domain string) bool) (by Set, ok bool) {
	if r.Verdict != senderauth.Pass {
		return Set{}, false
	}
	for i := len(r.Sets) - 1; i >= 0 && trusted(r.Sets[i].Domain); i-- {
		by, ok = r.Sets[i], true
	}
	return by, ok
}

var errSealedFail = errors.New("the last sealer found a chain that does not hold (cv=fail)")

// Verifier verifies the chain of one message. The body is written to it.
type Verifier struct {
	header message.Header
	sets   []*set
	seals  []*senderauth.Signature
	last   *senderauth.Signature // the newest ARC-Message-Signature
	err    error
	body   senderauth.Body
}

// NewVerifier reads the chain in a header. It keeps the header, and does not ask
// the DNS yet.
func NewVerifier(h message.Header) *Verifier {
	v := &Verifier{header: h}
	v.sets, v.err = collect(h)
	if v.err == nil && len(v.sets) > 0 {
		v.err = v.parse()
	}
	if v.last != nil {
		v.body.Want(v.last.BodyForm)
	}
	return v
}

func (v *Verifier) parse() (err error) {
	newest := v.sets[len(v.sets)-1]
	if newest.cv == "fail" {
		return errSealedFail
	}
	if err = checkStructure(v.sets); err != nil {
		return err
	}
	for i, s := range v.sets {
		seal, err := parseSeal(s.sealTags)
		if err != nil {
			return fmt.Errorf("seal %d: %w", i+1, err)
		}
		v.seals = append(v.seals, seal)
	}
	if v.last, err = parseSignature(newest.signatureTags); err != nil {
		return fmt.Errorf("message signature %d: %w", len(v.sets), err)
	}
	return nil
}

// Write takes a piece of the body, of any size. It does not fail.
func (v *Verifier) Write(p []byte) (int, error) { return v.body.Write(p) }

// Result ends the body, asks for the keys, at most one for each set and one more,
// and returns the answer. Time is linear in the header and the body.
func (v *Verifier) Result(ctx context.Context, r senderauth.Resolver) Result {
	if v.err == nil && len(v.sets) == 0 {
		return Result{Verdict: senderauth.None}
	}
	keys := &senderauth.Keys{Resolver: r}
	if v.err == nil {
		v.err = v.checkMessage(ctx, keys)
	}
	if v.err == nil {
		v.err = v.checkSeals(ctx, keys)
	}
	if v.err != nil {
		return Result{Verdict: senderauth.Fail, Err: v.err}
	}
	return Result{Verdict: senderauth.Pass, Sets: v.said()}
}

// checkMessage is step 4 of RFC 8617, 5.2.
func (v *Verifier) checkMessage(ctx context.Context, keys *senderauth.Keys) error {
	n := len(v.sets)
	err := v.last.CheckBody(&v.body)
	if x := v.last.Expires; err == nil && !x.IsZero() && time.Now().After(x) {
		err = errors.New("it has expired")
	}
	if err == nil {
		err = verify(ctx, keys, v.last, senderauth.Digest(v.last, v.header, v.sets[n-1].signature))
	}
	if err != nil {
		return fmt.Errorf("message signature %d of %s: %w", n, v.last.Domain, err)
	}
	return nil
}

// checkSeals is step 6.
func (v *Verifier) checkSeals(ctx context.Context, keys *senderauth.Keys) error {
	digests := sealDigests(v.sets)
	for i := len(v.seals) - 1; i >= 0; i-- {
		if err := verify(ctx, keys, v.seals[i], digests[i]); err != nil {
			return fmt.Errorf("seal %d of %s: %w", i+1, v.seals[i].Domain, err)
		}
	}
	return nil
}

func verify(ctx context.Context, keys *senderauth.Keys, sig *senderauth.Signature, digest []byte) error {
	key, err := keys.Get(ctx, sig.Selector, sig.Domain)
	if err != nil {
		return err
	}
	return senderauth.VerifyDigest(key.Public, sig.Algorithm, digest, sig.Value)
}

// sealDigests hashes what each seal signs: all sets up to its own (RFC 8617,
// 5.1.1). One pass serves them all.
func sealDigests(sets []*set) (digests [][]byte) {
	h := sha256.New()
	var b []byte
	for _, s := range sets {
		b = senderauth.Relaxed.AppendField(b[:0], s.results)
		b = senderauth.Relaxed.AppendField(b, s.signature)
		h.Write(b)
		digests = append(digests, sumWith(h, senderauth.AppendUnsigned(b[:0], senderauth.Relaxed, s.seal)))
		h.Write(senderauth.Relaxed.AppendField(b[:0], s.seal))
	}
	return digests
}

// sumWith returns the digest as if tail had been written, too.
func sumWith(h hash.Hash, tail []byte) []byte {
	clone, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic("arc: SHA-256 cannot be cloned: " + err.Error()) // it always can
	}
	clone.Write(tail)
	return clone.Sum(nil)
}

func (v *Verifier) said() (all []Set) {
	for i, s := range v.sets {
		_, payload, _ := strings.Cut(string(s.results), ";")
		results, err := senderauth.ParseResults(payload)
		if err != nil {
			results = senderauth.Results{}
		}
		all = append(all, Set{Domain: v.seals[i].Domain, Selector: v.seals[i].Selector, Results: results})
	}
	return all
}

// Verify reads a message to its end and returns the answer. The error is that of
// the reader, or a [*message.HeaderError] for a header of more than 1 MiB or
// 1,000 fields.
func Verify(ctx context.Context, r senderauth.Resolver, msg io.Reader) (Result, error) {
	h, body, err := message.ReadHeader(msg, message.HeaderLimits{})
	if err != nil {
		return Result{}, err
	}
	v := NewVerifier(h)
	if _, err := io.Copy(v, body); err != nil {
		return Result{}, err
	}
	return v.Result(ctx, r), nil
}
