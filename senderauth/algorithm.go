package senderauth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
)

// Algorithm is a way to sign, as named in an a= tag. Both hash with SHA-256.
// There is no rsa-sha1: RFC 8301, 3.1 forbids it.
type Algorithm string

// The algorithms of RFC 6376, 3.3.2 and RFC 8463, 3.
const (
	RSASHA256     Algorithm = "rsa-sha256"
	Ed25519SHA256 Algorithm = "ed25519-sha256"
)

// Bounds of RSA keys, in bits. Shorter ones prove nothing (RFC 8301, 3.2);
// longer ones nobody must verify, and their cost grows with the cube.
const (
	MinRSABits = 1024
	MaxRSABits = 4096
)

// ErrMismatch says that a signature is not one of this key over this digest.
var ErrMismatch = errors.New("the signature does not match")

// AlgorithmOf returns how a key signs, or the error that it cannot: it is
// neither RSA nor Ed25519, or its length is out of bounds.
func AlgorithmOf(public crypto.PublicKey) (Algorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < MinRSABits || bits > MaxRSABits {
			return "", fmt.Errorf("an RSA key of %d bits: need %d to %d", bits, MinRSABits, MaxRSABits)
		}
		return RSASHA256, nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", errors.New("an Ed25519 key of a wrong size")
		}
		return Ed25519SHA256, nil
	}
	return "", fmt.Errorf("a key of type %T: need RSA or Ed25519", public)
}

// SignDigest signs a SHA-256 digest with an RSA or Ed25519 key. Ed25519 signs
// the digest as its message (RFC 8463, 3).
func SignDigest(key crypto.Signer, digest []byte) ([]byte, error) {
	alg, err := AlgorithmOf(key.Public())
	if err != nil {
		return nil, err
	}
	if alg == Ed25519SHA256 {
		return key.Sign(rand.Reader, digest, crypto.Hash(0))
	}
	return key.Sign(rand.Reader, digest, crypto.SHA256)
}

// VerifyDigest checks a signature over a SHA-256 digest. The error is
// [ErrMismatch], or wraps [ErrKeySyntax] if the key is not one for the algorithm.
func VerifyDigest(public crypto.PublicKey, alg Algorithm, digest, signature []byte) error {
	has, err := AlgorithmOf(public)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	if has != alg {
		return fmt.Errorf("%w: it is not one for %.20s", ErrKeySyntax, alg)
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, signature) != nil {
			return ErrMismatch
		}
	case ed25519.PublicKey:
		if !ed25519.Verify(k, digest, signature) {
			return ErrMismatch
		}
	}
	return nil
}
