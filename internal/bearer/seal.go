package bearer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// Sealed text is a version, a nonce, and the text under AES-256-GCM. The key of it is made
// of a secret of any length by HKDF-SHA256 (RFC 5869).
const (
	sealVersion = 1
	keyPurpose  = "posthouse sealed tokens"
	keySize     = 32
)

// ErrSeal says that sealed text was made with another secret or under another name, or
// has been changed.
var ErrSeal = errors.New("it was sealed with another key, or is damaged")

// Seal makes text unreadable for who has not the secret. It can be opened under the same
// name only.
func Seal(secret []byte, name, text string) ([]byte, error) {
	aead, err := sealer(secret)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(text)+aead.Overhead())
	sealed[0] = sealVersion
	nonce := sealed[1:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(sealed, nonce, []byte(text), []byte(name)), nil
}

// Unseal is the reverse of [Seal]. The error may be ErrSeal.
func Unseal(secret []byte, name string, sealed []byte) (string, error) {
	aead, err := sealer(secret)
	if err != nil {
		return "", err
	}
	if len(sealed) < 1+aead.NonceSize() || sealed[0] != sealVersion {
		return "", ErrSeal
	}
	nonce, rest := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
	text, err := aead.Open(nil, nonce, rest, []byte(name))
	if err != nil {
		return "", ErrSeal
	}
	return string(text), nil
}

func sealer(secret []byte) (cipher.AEAD, error) {
	if len(secret) == 0 {
		return nil, errors.New("there is no key to seal with")
	}
	key, err := hkdf.Key(sha256.New, secret, nil, keyPurpose, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
