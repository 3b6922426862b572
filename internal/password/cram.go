package password

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
)

// CRAMPrefix is how what is kept for CRAM-MD5 begins.
const CRAMPrefix = "CRAM-MD5$"

// CRAM is what is kept of a password for CRAM-MD5 (RFC 2195): HMAC-MD5 as far as it goes
// without the challenge, which is MD5 after one block of the password, for each of its two
// hashes (RFC 2104, 4). That does not tell the password, but it is as good as one for
// whoever speaks CRAM-MD5, and tries of passwords on it cost next to nothing.
//
// The zero value is nobody's.
type CRAM struct{ outer, inner [md5.Size]byte }

// NewCRAM keeps a prepared password.
func NewCRAM(prepared string) *CRAM {
	key := make([]byte, md5.BlockSize)
	if len(prepared) > md5.BlockSize {
		sum := md5.Sum([]byte(prepared))
		prepared = string(sum[:])
	}
	copy(key, prepared)
	return &CRAM{outer: afterBlock(key, 0x5c), inner: afterBlock(key, 0x36)}
}

// afterBlock is the state of MD5 after a block of a key with a pad, as RFC 1321 would print it.
func afterBlock(key []byte, pad byte) (state [md5.Size]byte) {
	block := make([]byte, md5.BlockSize)
	for i := range block {
		block[i] = key[i] ^ pad
	}
	for i, word := range wordsAfter(block) {
		binary.LittleEndian.PutUint32(state[4*i:], word)
	}
	return state
}

// How crypto/md5 writes its state down: a mark, the four words, a block that is not whole,
// and how much it has read. The test of this package holds it to that.
const (
	wordsAt = 4
	readAt  = wordsAt + md5.Size + md5.BlockSize
)

func written(h hash.Hash) []byte {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || len(state) != readAt+8 {
		panic("crypto/md5 writes its state in another way than it did") // a test would have said so
	}
	return state
}

// wordsAfter are the words of MD5 after a block.
func wordsAfter(block []byte) (words [4]uint32) {
	h := md5.New()
	h.Write(block)
	state := written(h)
	for i := range words {
		words[i] = binary.BigEndian.Uint32(state[wordsAt+4*i:])
	}
	return words
}

// goesOn is MD5 that goes on after a block.
func goesOn(after [md5.Size]byte) hash.Hash {
	h := md5.New()
	state := written(h)
	for i := range md5.Size / 4 {
		binary.BigEndian.PutUint32(state[wordsAt+4*i:], binary.LittleEndian.Uint32(after[4*i:]))
	}
	binary.BigEndian.PutUint64(state[readAt:], md5.BlockSize)
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic(err) // it has just written the like
	}
	return h
}

// Answers reports whether an answer to a challenge, in hexadecimal digits, shows the password.
func (c *CRAM) Answers(challenge, answer string) bool {
	inner, outer := goesOn(c.inner), goesOn(c.outer)
	inner.Write([]byte(challenge))
	outer.Write(inner.Sum(nil))
	return hmac.Equal([]byte(hex.EncodeToString(outer.Sum(nil))), []byte(strings.ToLower(answer)))
}

// String prints what [ParseCRAM] reads.
func (c *CRAM) String() string {
	return CRAMPrefix + hex.EncodeToString(c.outer[:]) + hex.EncodeToString(c.inner[:])
}

var errCRAM = errors.New("what is kept for CRAM-MD5 is not in the form CRAM-MD5$ and 64 hexadecimal digits")

// ParseCRAM reads "CRAM-MD5$" and the two states in hexadecimal digits, the outer one first:
// they are those that Dovecot keeps as {CRAM-MD5}.
func ParseCRAM(text string) (*CRAM, error) {
	states, err := hex.DecodeString(strings.TrimPrefix(text, CRAMPrefix))
	if err != nil || len(states) != 2*md5.Size {
		return nil, errCRAM
	}
	return &CRAM{outer: [md5.Size]byte(states[:md5.Size]), inner: [md5.Size]byte(states[md5.Size:])}, nil
}
