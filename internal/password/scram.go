package password

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// SCRAMPrefix is how a verifier begins.
const SCRAMPrefix = "SCRAM-SHA-256$"

// SCRAMIterations is what new verifiers have, so that whoever steals them gains little
// by trying passwords on them; the clients bear the cost. RFC 7677, 4 asks for 4096 at least.
const SCRAMIterations = 100_000

// SCRAMSalt is the size of the salt of new verifiers, in octets.
const SCRAMSalt = 16

// Iterations that a verifier may have. A client would not bear more.
const (
	minIterations = 4096
	maxIterations = 2_000_000
)

// String prints a verifier as RFC 5803 says.
func (s *SCRAM) String() string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", SCRAMPrefix, s.Iterations, b64(s.Salt), b64(s.StoredKey), b64(s.ServerKey))
}

var errSCRAM = errors.New("the verifier is not in the form SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, or out of bounds")

// ParseSCRAM reads what RFC 5803 defines.
func ParseSCRAM(text string) (*SCRAM, error) {
	factors, keys, ok := strings.Cut(strings.TrimPrefix(text, SCRAMPrefix), "$")
	count, salt, ok2 := strings.Cut(factors, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	n, err := strconv.Atoi(count)
	if err != nil || !ok || !ok2 || !ok3 || n < minIterations || n > maxIterations {
		return nil, errSCRAM
	}
	s := &SCRAM{Iterations: n}
	for _, f := range []struct {
		text        string
		to          *[]byte
		least, most int
	}{{salt, &s.Salt, 8, 64}, {stored, &s.StoredKey, 32, 32}, {server, &s.ServerKey, 32, 32}} {
		if *f.to, err = base64.StdEncoding.Strict().DecodeString(f.text); err != nil || len(*f.to) < f.least || len(*f.to) > f.most {
			return nil, errSCRAM
		}
	}
	return s, nil
}

// SCRAM is what is kept of a password for SCRAM-SHA-256 (RFC 7677; RFC 5802, 3): it
// proves the password, and does not tell it.
type SCRAM struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// NewSCRAM keeps a prepared password, with [SCRAMIterations] if nothing speaks for another number.
func NewSCRAM(prepared string, iterations int) *SCRAM {
	s := &SCRAM{Salt: newSalt(), Iterations: iterations}
	s.StoredKey, s.ServerKey = s.keys(prepared)
	return s
}

// keys are those of a prepared password (RFC 5802, 3).
func (s *SCRAM) keys(prepared string) (stored, server []byte) {
	salted, err := pbkdf2.Key(sha256.New, prepared, s.Salt, s.Iterations, sha256.Size)
	if err != nil { // only a FIPS mode refuses: then no password fits
		return nil, nil
	}
	client := sha256.Sum256(sum(salted, "Client Key"))
	return client[:], sum(salted, "Server Key")
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Fits reports whether a prepared password is the one that is kept.
func (s *SCRAM) Fits(prepared string) bool {
	stored, _ := s.keys(prepared)
	return subtle.ConstantTimeCompare(stored, s.StoredKey) == 1
}
