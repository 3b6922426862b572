package arc

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// Key is a key to seal with, published like one of DKIM.
type Key struct {
	Domain, Selector string
	// Signer is an RSA key of 1,024 to 4,096 bits or an Ed25519 key. Many
	// verifiers of chains know RSA only.
	Signer crypto.Signer
}

// Why a message cannot be sealed, or need not be.
var (
	ErrSealed  = errors.New("arc: the chain was sealed as one that does not hold: nothing can be added")
	ErrTooLong = fmt.Errorf("arc: the chain has %d sets already", MaxSets)
	ErrNoFrom  = errors.New("arc: the message has no From field")
)

// Sealer adds a set to the chain of one message. The body is written to it.
type Sealer struct {
	header  message.Header
	sets    []*set
	cv      string
	results senderauth.Results
	key     Key
	body    senderauth.Body
}

// NewSealer begins to seal a message. The header, which it keeps, is that of the
// message as it leaves; chain is what a [Verifier] said of it as it came; results
// are what was found then, by all methods (the ID must not be empty). The error
// is one of the above, or says that the key cannot be used.
func NewSealer(h message.Header, chain Result, results senderauth.Results, k Key) (*Sealer, error) {
	sets, err := collect(h)
	s := &Sealer{header: h, sets: sets, cv: string(chain.Verdict), results: results, key: k}
	switch n := len(sets); {
	case h.Get("From") == nil:
		return nil, ErrNoFrom
	case n > 0 && sets[n-1].cv == "fail":
		return nil, ErrSealed
	case n >= MaxSets:
		return nil, ErrTooLong
	case n == 0 && chain.Verdict != senderauth.Fail:
		s.cv = "none"
	case chain.Verdict != senderauth.Pass || err != nil || checkStructure(sets) != nil:
		s.cv = "fail"
	}
	if err := s.checkKey(); err != nil {
		return nil, fmt.Errorf("arc: key %s of %s: %w", k.Selector, k.Domain, err)
	}
	s.body.Want(senderauth.Relaxed)
	return s, nil
}

func (s *Sealer) checkKey() error {
	if s.key.Signer == nil {
		return errors.New("no private key")
	}
	_, err := senderauth.AlgorithmOf(s.key.Signer.Public())
	if err == nil {
		s.key.Domain, err = senderauth.ParseDomain(s.key.Domain)
	}
	if err == nil {
		s.key.Selector, err = senderauth.ParseDomain(s.key.Selector)
	}
	return err
}

// Write takes a piece of the body, of any size. It does not fail.
func (s *Sealer) Write(p []byte) (int, error) { return s.body.Write(p) }

// Fields ends the body and returns the three fields of the set, folded, each with
// its final CRLF: they go on top of the message. The error is that of the key.
func (s *Sealer) Fields() ([]byte, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	instance := strconv.Itoa(len(s.sets) + 1)
	own := &set{results: s.results.AppendChainField(nil, instance)}
	var err error
	if own.signature, err = s.sign(instance, now); err != nil {
		return nil, err
	}
	if own.seal, err = s.seal(own, instance, now); err != nil {
		return nil, err
	}
	fields := append([]byte(nil), own.seal...)
	return append(append(fields, own.signature...), own.results...), nil
}

// sign makes the ARC-Message-Signature.
func (s *Sealer) sign(instance, now string) ([]byte, error) {
	alg, err := senderauth.AlgorithmOf(s.key.Signer.Public())
	if err != nil {
		return nil, err
	}
	names := senderauth.NamesToSign(s.header)
	for _, f := range s.header {
		if strings.EqualFold(f.Name(), "DKIM-Signature") {
			names = append(names, "DKIM-Signature") // RFC 8617, 4.1.2
		}
	}
	sum, _ := s.body.Sum(senderauth.Relaxed)
	return senderauth.SignField(s.key.Signer, senderauth.Relaxed, s.header, names, signatureName, senderauth.TagList{
		{Name: "i", Value: instance},
		{Name: "a", Value: string(alg)},
		{Name: "c", Value: "relaxed/relaxed"},
		{Name: "d", Value: s.key.Domain},
		{Name: "s", Value: s.key.Selector},
		{Name: "t", Value: now},
		{Name: "h", Value: strings.Join(names, ":")},
		{Name: "bh", Value: base64.StdEncoding.EncodeToString(sum)},
	})
}

// seal makes the ARC-Seal. One with cv=fail covers its own set only (RFC 8617,
// 5.1.2).
func (s *Sealer) seal(own *set, instance, now string) ([]byte, error) {
	alg, err := senderauth.AlgorithmOf(s.key.Signer.Public())
	if err != nil {
		return nil, err
	}
	tags := senderauth.TagList{
		{Name: "i", Value: instance},
		{Name: "a", Value: string(alg)},
		{Name: "cv", Value: s.cv},
		{Name: "d", Value: s.key.Domain},
		{Name: "s", Value: s.key.Selector},
		{Name: "t", Value: now},
		{Name: "b"},
	}
	own.seal = senderauth.AppendTagField(nil, sealName, tags)
	chain := []*set{own}
	if s.cv != "fail" {
		chain = append(append([]*set(nil), s.sets...), own)
	}
	digests := sealDigests(chain)
	value, err := senderauth.SignDigest(s.key.Signer, digests[len(digests)-1])
	if err != nil {
		return nil, fmt.Errorf("arc: seal for %s: %w", s.key.Domain, err)
	}
	tags[len(tags)-1].Value = base64.StdEncoding.EncodeToString(value)
	return senderauth.AppendTagField(nil, sealName, tags), nil
}
