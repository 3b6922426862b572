package mail

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// ID names a message for as long as anybody remembers it: 48 bits of the time
// of its arrival in milliseconds, then 48 bits of chance. IDs sort by arrival.
// The zero value names nothing.
type ID [12]byte

// NewID makes an ID for a message that arrived now.
func NewID(now time.Time, random io.Reader) (ID, error) {
	var id ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	_, err := io.ReadFull(random, id[6:])
	return id, err
}

// idText is base32 with digits and letters in ascending order, so that the
// text of IDs sorts as they do, and without I, L, O and U, which are misread.
var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// String prints the ID as 20 letters and digits.
func (id ID) String() string {
	var text [20]byte
	idText.Encode(text[:], id[:])
	return string(text[:])
}

// AppendText implements [encoding.TextAppender]: it prints like [ID.String], and its error
// is nil.
func (id ID) AppendText(dst []byte) ([]byte, error) { return idText.AppendEncode(dst, id[:]), nil }

// ParseID reads what String printed, in any case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != idText.EncodedLen(len(id)) {
		return ID{}, fmt.Errorf("%q is no message id: it has 20 letters and digits", s)
	}
	if _, err := idText.Decode(id[:], []byte(strings.ToLower(s))); err != nil {
		return ID{}, fmt.Errorf("%q is no message id", s)
	}
	if id.String() != strings.ToLower(s) { // bits that do not fit the octets
		return ID{}, fmt.Errorf("%q is no message id", s)
	}
	return id, nil
}

// IsZero reports whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Arrived returns the time that is in the ID, to the millisecond.
func (id ID) Arrived() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

// MarshalText prints like [ID.String].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads like [ParseID].
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}
