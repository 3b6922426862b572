package userfile

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
	"golang.org/x/crypto/argon2"

	"github.com/posthouse/posthouse/internal/directory"
)

// MaxPassword is how long a password may be, in octets.
const MaxPassword = 1024

// Hash is a password by Argon2id (RFC 9106).
type Hash struct {
	cost
	salt, sum []byte
}

// cost is what it takes to try a password.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	sum     int // octets
}

// usualCost is what OWASP recommends for passwords that people choose: about 25 ms
// and 19 MiB, so that a busy server stays one.
var usualCost = cost{memory: 19 << 10, time: 2, threads: 1, sum: 32}

// Bounds of what a file may ask for.
const (
	maxMemory = 256 << 10 // KiB
	maxTime   = 64
	maxSum    = 128
)

// Iterations that a verifier may have. A client would not bear more.
const (
	minIterations = 4096
	maxIterations = 2_000_000
)

const (
	hashPrefix  = "$argon2id$"
	scramPrefix = "SCRAM-SHA-256$"
)

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

// SetPassword gives a user a password. The error is [ErrPassword].
func (u *User) SetPassword(password string) error {
	prepared, err := Prepare(password)
	if err != nil {
		return err
	}
	client, err := scram.SHA256.NewClientUnprepped(u.Name, prepared, "")
	if err != nil {
		return ErrPassword
	}
	salt := newSalt()
	keys, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: directory.SCRAMIterations})
	if err != nil {
		return ErrPassword
	}
	u.SCRAM = &directory.SCRAM{Salt: salt, Iterations: directory.SCRAMIterations, StoredKey: keys.StoredKey, ServerKey: keys.ServerKey}
	u.Password = &Hash{cost: usualCost, salt: newSalt()}
	u.Password.sum = u.Password.of(prepared)
	return nil
}

func newSalt() []byte {
	salt := make([]byte, directory.SCRAMSalt)
	_, _ = rand.Read(salt) // it never fails
	return salt
}

// of is the sum of a password that is prepared.
func (h *Hash) of(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(h.cost.sum))
}

func (h *Hash) fits(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password), h.sum) == 1
}

// String prints the hash as the reference implementation does.
func (h *Hash) String() string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", hashPrefix, argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

var errHash = errors.New("the password is not in the form $argon2id$v=19$m=KIB,t=TIMES,p=THREADS$SALT$HASH, or out of bounds")

func parseHash(s string) (*Hash, error) {
	parts := strings.Split(strings.TrimPrefix(s, hashPrefix), "$")
	if len(parts) != 4 || parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return nil, errHash
	}
	var h Hash
	var memory, times, threads uint64
	for i, f := range strings.SplitN(parts[1], ",", 3) {
		value, ok := strings.CutPrefix(f, [...]string{"m=", "t=", "p="}[i])
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || !ok {
			return nil, errHash
		}
		*[...]*uint64{&memory, &times, &threads}[i] = n
	}
	var err, err2 error
	h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[2])
	h.sum, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[3])
	if err != nil || err2 != nil || times < 1 || times > maxTime || threads < 1 || threads > 16 ||
		memory < 8*threads || memory > maxMemory || len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > maxSum {
		return nil, errHash
	}
	h.cost = cost{uint32(memory), uint32(times), uint8(threads), len(h.sum)}
	return &h, nil
}

func formatSCRAM(s *directory.SCRAM) string {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, s.Iterations, b64(s.Salt), b64(s.StoredKey), b64(s.ServerKey))
}

var errSCRAM = errors.New("the verifier is not in the form SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, or out of bounds")

// parseSCRAM reads what RFC 5803 defines.
func parseSCRAM(text string) (*directory.SCRAM, error) {
	factors, keys, ok := strings.Cut(strings.TrimPrefix(text, scramPrefix), "$")
	count, salt, ok2 := strings.Cut(factors, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	n, err := strconv.Atoi(count)
	if err != nil || !ok || !ok2 || !ok3 || n < minIterations || n > maxIterations {
		return nil, errSCRAM
	}
	s := &directory.SCRAM{Iterations: n}
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
