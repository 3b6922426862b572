package senderauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Key is a public key as published for DKIM and ARC (RFC 6376, 3.6.1).
type Key struct {
	// Public is an [*rsa.PublicKey] or an [ed25519.PublicKey].
	Public crypto.PublicKey
	// Testing (t=y) asks to treat what this key signed like unsigned mail.
	Testing bool
	// Strict (t=s) forbids an i= below the signing domain.
	Strict bool
	// Authentic says that the answer was authenticated with DNSSEC.
	Authentic bool
}

// What [LookupKey] and [ParseKey] may say; other errors tell of the syntax or,
// if they do not wrap ErrKeySyntax, of a DNS that did not answer.
var (
	ErrNoKey      = errors.New("there is no key")
	ErrKeyRevoked = errors.New("the key is revoked")
	ErrKeySyntax  = errors.New("the key record makes no sense")
)

const maxKeyRecords = 8

// LookupKey asks for the key of a selector and domain (RFC 6376, 3.6.2). Of
// several TXT records the first that is a key counts. If it is one that cannot
// be used, or there is none, the error wraps ErrNoKey, ErrKeyRevoked or
// ErrKeySyntax; any other error may pass.
func LookupKey(ctx context.Context, r Resolver, selector, domain string) (*Key, error) {
	texts, authentic, err := LookupTXT(ctx, r, selector+"._domainkey."+strings.TrimSuffix(domain, ".")+".")
	if len(texts) == 0 {
		if err == nil || NotFound(err) {
			return nil, ErrNoKey
		}
		return nil, err
	}
	var first error
	for _, txt := range texts[:min(len(texts), maxKeyRecords)] {
		key, err := ParseKey(txt)
		if err == nil {
			key.Authentic = authentic
			return key, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// ParseKey reads a key record. The error wraps ErrKeyRevoked or ErrKeySyntax.
func ParseKey(record string) (*Key, error) {
	tags, err := ParseTagList(record)
	if err == nil {
		err = tags.Require("p")
	}
	if err == nil {
		err = checkKeyTags(tags)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	p, _ := tags.Get("p")
	if p == "" {
		return nil, ErrKeyRevoked
	}
	kind, ok := tags.Get("k")
	if !ok {
		kind = "rsa"
	}
	public, err := parsePublic(kind, Squeeze(p))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	flags, _ := tags.Get("t")
	set := Fields(flags)
	return &Key{Public: public, Testing: slices.Contains(set, "y"), Strict: slices.Contains(set, "s")}, nil
}

// checkKeyTags checks the tags that say what a key is for.
func checkKeyTags(tags TagList) error {
	if v, ok := tags.Get("v"); ok && (v != "DKIM1" || tags[0].Name != "v") {
		return errors.New("v= is not DKIM1, or not the first tag")
	}
	if h, ok := tags.Get("h"); ok && !slices.Contains(Fields(h), "sha256") {
		return errors.New("h= does not allow sha256")
	}
	if s, ok := tags.Get("s"); ok {
		services := Fields(s)
		if !slices.Contains(services, "*") && !slices.Contains(services, "email") {
			return errors.New("s= does not allow email")
		}
	}
	return nil
}

func parsePublic(kind, p string) (crypto.PublicKey, error) {
	data, err := base64.StdEncoding.DecodeString(p)
	if err != nil {
		return nil, errors.New("p= is not base64")
	}
	var public crypto.PublicKey
	switch kind {
	case "ed25519":
		public = ed25519.PublicKey(data)
	case "rsa":
		if public, err = parseRSA(data); err != nil {
			return nil, errors.New("p= is no RSA key")
		}
	default:
		return nil, fmt.Errorf("unknown k=%.20s", kind)
	}
	_, err = AlgorithmOf(public)
	return public, err
}

// parseRSA reads a SubjectPublicKeyInfo, or a bare RSAPublicKey: RFC 6376 says
// the one in its text and the other in its examples.
func parseRSA(data []byte) (*rsa.PublicKey, error) {
	if k, err := x509.ParsePKIXPublicKey(data); err == nil {
		if public, ok := k.(*rsa.PublicKey); ok {
			return public, nil
		}
		return nil, ErrKeySyntax
	}
	return x509.ParsePKCS1PublicKey(data)
}

// FormatKey prints the TXT record of a public key, to publish at
// SELECTOR._domainkey.DOMAIN. It may be longer than the 255 octets of one
// string of a TXT record. The error is that of [AlgorithmOf].
func FormatKey(public crypto.PublicKey) (string, error) {
	alg, err := AlgorithmOf(public)
	if err != nil {
		return "", err
	}
	if alg == Ed25519SHA256 {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public.(ed25519.PublicKey)), nil
	}
	data, err := x509.MarshalPKIXPublicKey(public)
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(data), err
}
