package senderauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// Signature is what the signature fields of DKIM and ARC have in common
// (RFC 6376, 3.5; RFC 8617, 4.1.2).
type Signature struct {
	Algorithm  Algorithm        // a=
	Domain     string           // d=, in lower case, in ASCII
	Selector   string           // s=, likewise
	HeaderForm Canonicalization // c=
	BodyForm   Canonicalization
	Names      []string  // h=, as written
	BodyHash   []byte    // bh=, 32 octets
	Value      []byte    // b=
	Time       time.Time // t=; zero if there is none
	Expires    time.Time // x=; likewise
	Limit      int64     // l=; -1 if there is none
}

// ParseSignature reads the tags that both standards require and allow. After an
// error there may be a part of it, to tell of.
func ParseSignature(tags TagList) (*Signature, error) {
	if err := tags.Require("a", "b", "bh", "d", "h", "s"); err != nil {
		return nil, err
	}
	return parseSignature(tags)
}

// ParseSeal reads the tags of a signature that has no body and names no fields:
// an ARC-Seal.
func ParseSeal(tags TagList) (*Signature, error) {
	if err := tags.Require("a", "b", "d", "s"); err != nil {
		return nil, err
	}
	return parseSignature(tags)
}

func parseSignature(tags TagList) (*Signature, error) {
	s := &Signature{Limit: -1}
	for _, t := range tags {
		if err := s.set(t); err != nil {
			return s, fmt.Errorf("tag %s=: %w", t.Name, err)
		}
	}
	if !s.Time.IsZero() && !s.Expires.IsZero() && !s.Expires.After(s.Time) {
		return s, errors.New("tag x=: not after t=")
	}
	if len(s.Selector)+len("._domainkey.")+len(s.Domain) > 253 {
		return s, errors.New("the name of the key is too long for the DNS")
	}
	return s, nil
}

func (s *Signature) set(t Tag) (err error) {
	switch t.Name {
	case "a":
		s.Algorithm, err = parseAlgorithm(t.Value)
	case "b":
		s.Value, err = decodeBase64(t.Value)
	case "bh":
		s.BodyHash, err = decodeBase64(t.Value)
		if err == nil && len(s.BodyHash) != sha256.Size {
			err = errors.New("no SHA-256 hash")
		}
	case "c":
		s.HeaderForm, s.BodyForm, err = ParseCanonicalization(t.Value)
	case "d":
		s.Domain, err = ParseDomain(t.Value)
		if err == nil && !strings.Contains(s.Domain, ".") {
			err = errors.New("a top-level domain signs for nobody")
		}
	case "s":
		s.Selector, err = ParseDomain(t.Value)
	case "h":
		s.Names, err = parseNames(t.Value)
	case "l":
		s.Limit, err = parseNumber(t.Value)
	case "t":
		s.Time, err = parseTime(t.Value)
	case "x":
		s.Expires, err = parseTime(t.Value)
	}
	return err
}

func parseAlgorithm(s string) (Algorithm, error) {
	switch a := Algorithm(s); a {
	case RSASHA256, Ed25519SHA256:
		return a, nil
	case "rsa-sha1":
		return "", errors.New("rsa-sha1 proves nothing any more (RFC 8301)")
	}
	return "", fmt.Errorf("unknown algorithm %.20q", s)
}

func decodeBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(Squeeze(s))
	if err == nil && len(b) == 0 {
		err = errors.New("empty")
	}
	return b, err
}

// parseNames reads an h=. An empty name between colons names nothing.
func parseNames(s string) ([]string, error) {
	names := Fields(s)
	for _, name := range names {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("no field name: %.40q", name)
		}
	}
	return names, nil
}

func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("no number: %.20q", s)
	}
	return int64(n), nil
}

// parseTime reads seconds since 1970, up to the year 9999: RFC 6376, 3.5 allows
// twelve digits.
func parseTime(s string) (time.Time, error) {
	n, err := parseNumber(s)
	if err != nil || n > 253402300799 {
		return time.Time{}, fmt.Errorf("no time: %.20q", s)
	}
	return time.Unix(n, 0).UTC(), nil
}

// ParseDomain returns a domain in lower case, in ASCII and without a final dot,
// if it has the form of one that a key or a policy can be published under:
// labels of letters, digits, "-" and "_". U-labels become A-labels (RFC 8616).
func ParseDomain(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	for i := range len(s) {
		if s[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return "", fmt.Errorf("no domain: %.80q", s)
			}
			s = a
			break
		}
	}
	if len(s) > 253 {
		return "", errors.New("no domain: longer than 253 octets")
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", fmt.Errorf("no domain: %.80q", s)
		}
	}
	return s, nil
}

// Digest hashes the fields of header that the signature names and then the
// field that it stands in: what its value signs (RFC 6376, 3.7).
func Digest[F ~[]byte](s *Signature, header []F, field F) []byte {
	b := AppendSigned(nil, s.HeaderForm, header, s.Names)
	b = AppendUnsigned(b, s.HeaderForm, field)
	sum := sha256.Sum256(b)
	return sum[:]
}

// Body hashes a body in the canonical forms that are wanted of it, each once,
// while it streams past. See [BodyWriter] for its line ends.
type Body struct{ forms [2]*hashedForm }

type hashedForm struct {
	*BodyWriter
	hash.Hash
	sum []byte
}

// Want asks for a form. It is called before the first Write.
func (b *Body) Want(c Canonicalization) {
	if b.forms[c] == nil {
		h := sha256.New()
		b.forms[c] = &hashedForm{BodyWriter: NewBodyWriter(h, c), Hash: h}
	}
}

// Write takes a piece of the body. It does not fail.
func (b *Body) Write(p []byte) (int, error) {
	for _, f := range b.forms {
		if f != nil {
			f.BodyWriter.Write(p) // a hash takes everything
		}
	}
	return len(p), nil
}

// Sum ends the body and returns the hash and the length of a form; nothing if it
// was not wanted.
func (b *Body) Sum(c Canonicalization) (sum []byte, length int64) {
	f := b.forms[c]
	if f == nil {
		return nil, 0
	}
	if f.sum == nil {
		f.Close()
		f.sum = f.Hash.Sum(nil)
	}
	return f.sum, f.Len()
}

// What [Signature.CheckBody] says.
var (
	ErrBodyHash = errors.New("the body was changed")
	ErrPartial  = errors.New("only a part of the body is signed (l=)")
)

// CheckBody compares the body hash. A signature with an l= is good only if it
// covers the whole body, as what follows could be anything (RFC 6376, 8.2):
// otherwise the error is ErrPartial.
func (s *Signature) CheckBody(b *Body) error {
	sum, length := b.Sum(s.BodyForm)
	if s.Limit >= 0 && s.Limit < length {
		return ErrPartial
	}
	if s.Limit > length || !bytes.Equal(sum, s.BodyHash) {
		return ErrBodyHash
	}
	return nil
}

// Keys looks keys up, each at most once while it lives. The zero value with
// a Resolver is ready.
type Keys struct {
	Resolver Resolver
	known    map[string]lookedUp
}

type lookedUp struct {
	key *Key
	err error
}

// Get is [LookupKey], remembered.
func (k *Keys) Get(ctx context.Context, selector, domain string) (*Key, error) {
	name := selector + " " + domain
	found, ok := k.known[name]
	if !ok {
		found.key, found.err = LookupKey(ctx, k.Resolver, selector, domain)
		if k.known == nil {
			k.known = map[string]lookedUp{}
		}
		k.known[name] = found
	}
	return found.key, found.err
}

// Judge turns the error of a check of a signature into a verdict.
func Judge(err error) Verdict {
	switch {
	case err == nil:
		return Pass
	case errors.Is(err, ErrMismatch), errors.Is(err, ErrBodyHash):
		return Fail
	case errors.Is(err, ErrPartial):
		return Policy
	case errors.Is(err, ErrNoKey), errors.Is(err, ErrKeyRevoked), errors.Is(err, ErrKeySyntax):
		return PermError
	}
	return TempError
}

// SignField signs header and a field of our own, which is given as its name and
// its tags but the last, b=. It returns the whole field.
func SignField[F ~[]byte](key crypto.Signer, form Canonicalization, header []F, names []string, name string, tags TagList) ([]byte, error) {
	tags = append(tags[:len(tags):len(tags)], Tag{"b", ""})
	field := AppendTagField(nil, name, tags)
	b := AppendSigned(nil, form, header, names)
	sum := sha256.Sum256(AppendUnsigned(b, form, field))
	value, err := SignDigest(key, sum[:])
	if err != nil {
		return nil, err
	}
	tags[len(tags)-1].Value = base64.StdEncoding.EncodeToString(value)
	return AppendTagField(nil, name, tags), nil
}
