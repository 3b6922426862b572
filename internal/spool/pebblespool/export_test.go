package pebblespool

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
)

// Spoil flips a bit of the body record of a message.
func (s *Spool) Spoil(id mail.ID) {
	key := idKey(kBody, id)
	b, err := s.get(key)
	if err != nil || len(b) == 0 {
		panic("there is no body to spoil")
	}
	b[len(b)/2] ^= 4
	if err := s.db.Set(key, b, pebble.Sync); err != nil {
		panic(err)
	}
}
