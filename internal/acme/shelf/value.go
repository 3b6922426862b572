package shelf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/bearer"
	"github.com/posthouse/posthouse/internal/spool"
)

// A value is kept behind a header: how it is kept, and when it was, in milliseconds since 1970.
const (
	plain  = 1
	sealed = 2

	headerSize = 1 + 8
	maxValue   = 63 << 10 // octets; with the header and the seal it is a state
)

var errValue = errors.New("what is kept there is damaged, or of a newer posthouse")

// pack makes what is kept of a value.
func (s *Shelf) pack(key string, value []byte, now time.Time) ([]byte, error) {
	if len(value) > maxValue {
		return nil, fmt.Errorf("%s: %d octets: %w", key, len(value), spool.ErrLimit)
	}
	text := binary.BigEndian.AppendUint64([]byte{plain}, uint64(now.UnixMilli()))
	if s.opts.Key == nil {
		return append(text, value...), nil
	}
	secret, err := s.opts.Key()
	if err != nil {
		return nil, err
	}
	hidden, err := bearer.Seal(secret, sealName(key), string(value))
	if err != nil {
		return nil, err
	}
	text[0] = sealed
	return append(text, hidden...), nil
}

// unpack is the reverse of pack.
func (s *Shelf) unpack(key string, text []byte) ([]byte, time.Time, error) {
	if len(text) < headerSize || text[0] != plain && text[0] != sealed {
		return nil, time.Time{}, fmt.Errorf("%s: %w", key, errValue)
	}
	at, rest := time.UnixMilli(int64(binary.BigEndian.Uint64(text[1:]))), text[headerSize:]
	if text[0] == plain {
		return rest, at, nil
	}
	if s.opts.Key == nil {
		return nil, time.Time{}, fmt.Errorf("%s is sealed: this node needs the seal_key of the one that has written it", key)
	}
	secret, err := s.opts.Key()
	if err != nil {
		return nil, time.Time{}, err
	}
	value, err := bearer.Unseal(secret, sealName(key), rest)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w: all nodes need the same seal_key", key, err)
	}
	return []byte(value), at, nil
}

// sealName binds what is sealed to its place, and keeps it apart from what others seal.
func sealName(key string) string { return Room + " " + key }
