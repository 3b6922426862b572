package password

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Kept is what is kept of a password, in one of the forms.
type Kept interface {
	// Fits reports whether a prepared password is the one that is kept.
	Fits(prepared string) bool
	// decoy is something of the same cost that no password fits.
	decoy(seed []byte) Kept
	// price tells costs that differ from each other.
	price() string
}

// Parse reads what is kept: "$argon2id$...", "SCRAM-SHA-256$..." (RFC 5803) or bcrypt's
// "$2b$...". An error does not quote it.
func Parse(text string) (Kept, error) {
	switch {
	case strings.HasPrefix(text, HashPrefix):
		return orError(ParseHash(text))
	case strings.HasPrefix(text, SCRAMPrefix):
		return orError(ParseSCRAM(text))
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		return orError(parseBcrypt(text))
	}
	return nil, errors.New("what is kept of the password begins with none of $argon2id$, SCRAM-SHA-256$ and $2b$")
}

// orError keeps a nil pointer from becoming a Kept.
func orError[T Kept](k T, err error) (Kept, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (h *Hash) price() string { return fmt.Sprint(h.cost) }

func (h *Hash) decoy(seed []byte) Kept {
	return &Hash{cost: h.cost, salt: seed[:SCRAMSalt], sum: make([]byte, h.cost.sum)}
}

func (s *SCRAM) price() string { return fmt.Sprint("scram ", s.Iterations) }

func (s *SCRAM) decoy(seed []byte) Kept {
	return &SCRAM{Salt: seed[:SCRAMSalt], Iterations: s.Iterations, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}
}

// hashed is bcrypt's form. It knows 72 octets of a password.
type hashed struct {
	text  []byte
	cost  int
	never bool // a decoy
}

const (
	maxBcrypt     = 72
	maxBcryptCost = 15
)

func parseBcrypt(text string) (*hashed, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || cost > maxBcryptCost || len(text) != 60 {
		return nil, fmt.Errorf("the password is not in bcrypt's form, or its cost is above %d", maxBcryptCost)
	}
	return &hashed{text: []byte(text), cost: cost}, nil
}

// Fits implements [Kept].
func (h *hashed) Fits(prepared string) bool {
	fits := bcrypt.CompareHashAndPassword(h.text, []byte(prepared[:min(len(prepared), maxBcrypt)])) == nil
	return fits && !h.never && len(prepared) <= maxBcrypt
}

func (h *hashed) price() string { return fmt.Sprint("bcrypt ", h.cost) }

func (h *hashed) decoy([]byte) Kept { return &hashed{text: h.text, cost: h.cost, never: true} }
