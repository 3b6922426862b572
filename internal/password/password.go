// Package password is what is kept of passwords, and how one is tried: as Argon2id (RFC
// 9106), as a verifier of SCRAM-SHA-256 (RFC 7677), or as bcrypt. What is kept by one of
// them does not tell the password. For CRAM-MD5 (RFC 2195) something weaker is kept: see [CRAM].
//
// Passwords are prepared by SASLprep (RFC 4013), so that one fits however it is typed.
package password

import (
	"errors"
	"fmt"

	"github.com/xdg-go/stringprep"
)

// MaxPassword is how long a password may be, in octets.
const MaxPassword = 1024

// ErrPassword says that a password cannot be used.
var ErrPassword = errors.New("the password cannot be used")

// Prepare returns a password as SASLprep makes it, so that it fits however it is typed.
// An error is [ErrPassword], with a reason that does not quote it.
func Prepare(password string) (string, error) {
	if len(password) > MaxPassword {
		return "", fmt.Errorf("%w: it is longer than %d octets", ErrPassword, MaxPassword)
	}
	prepared, err := stringprep.SASLprep.Prepare(password)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: it has a character that SASLprep forbids (RFC 4013)", ErrPassword)
	case prepared == "":
		return "", fmt.Errorf("%w: it is empty", ErrPassword)
	}
	return prepared, nil
}
