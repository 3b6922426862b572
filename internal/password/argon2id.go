package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// HashPrefix is how a hash begins.
const HashPrefix = "$argon2id$"

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

func newSalt() []byte {
	salt := make([]byte, SCRAMSalt)
	_, _ = rand.Read(salt) // it never fails
	return salt
}

// of is the sum of a password that is prepared.
func (h *Hash) of(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(h.cost.sum))
}

// Fits reports whether a prepared password is the one that is kept.
func (h *Hash) Fits(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password), h.sum) == 1
}

// String prints the hash as the reference implementation does.
func (h *Hash) String() string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", HashPrefix, argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

var errHash = errors.New("the password is not in the form $argon2id$v=19$m=KIB,t=TIMES,p=THREADS$SALT$HASH, or out of bounds")

// ParseHash reads what [Hash.String] prints, within bounds.
func ParseHash(s string) (*Hash, error) {
	parts := strings.Split(strings.TrimPrefix(s, HashPrefix), "$")
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

// NewHash keeps a prepared password at the usual cost.
func NewHash(prepared string) *Hash {
	h := &Hash{cost: usualCost, salt: newSalt()}
	h.sum = h.of(prepared)
	return h
}
