package login

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// Whose name is typed at a login stands under a key of its own in what a [Book] tells: people type passwords
// where names should stand, and who reads the counts must not be able to try whether a word was typed. A hash
// alone would let him. So it is HMAC-SHA256, by a key that is not kept where the counts are. All names are
// veiled, those of accounts too: else whose failures count together, and whose do not, would tell who has one.

const (
	veilPurpose = "posthouse names at a login"
	veilSize    = 32 // octets of the key
	veiledSize  = 16 // octets of what stands for a name
)

// Veil hides from now on what was typed by a key that is made of a secret, by HKDF-SHA256 (RFC 5869). Books
// count names together if they were given the same secret, and only then; a new book has a secret of its own.
// What was counted by name with another secret is forgotten: it runs off under keys that nobody asks for.
func (b *Book) Veil(secret []byte) error {
	key, err := hkdf.Key(sha256.New, secret, nil, veilPurpose, veilSize)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.veil = key
	return nil
}

// ownVeil is the key of a book that nobody has given a secret.
func ownVeil() []byte {
	key := make([]byte, veilSize)
	_, _ = rand.Read(key) // it never fails
	return key
}

// veiled stands for a name that somebody typed.
func (b *Book) veiled(name string) string {
	mac := hmac.New(sha256.New, b.veil)
	mac.Write([]byte(name))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:veiledSize])
}
