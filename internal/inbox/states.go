package inbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// States is where several nodes keep their inboxes: values of 64 KiB at most, by room and key.
// What was put is on stable storage, and every node sees it.
type States interface {
	// Get returns a value and its version, which is never 0. ErrNotFound: there is none.
	Get(ctx context.Context, room, key string) (value []byte, version uint64, err error)
	// Put writes a value if the one that stands has version was; 0 is none. A nil value removes
	// it. ErrConflict: the version is another.
	Put(ctx context.Context, room, key string, value []byte, was uint64) error
	// List returns some values of a room, by key, from the first one after a key; none: there are
	// no more.
	List(ctx context.Context, room, after string) ([]Value, error)
}

// Value is one of several.
type Value struct {
	Key   string
	Value []byte
}

// ErrConflict says that another node was quicker.
var ErrConflict = errors.New("another node was quicker")

// Rooms of the states. Records and sources are cut into pieces, by ID and number: the first one
// says how many there are, and is written last and removed first, so that half a message is
// none. The log has a change at each number from 1 on, and says what happened in an order in
// which all nodes see it, since nobody can leave a number out: whoever finds one taken tries the
// next. Old changes are removed; who has missed them reads all records anew.
const (
	recordRoom = "inbox-record"
	sourceRoom = "inbox-source"
	logRoom    = "inbox-log"

	pieceSize = 60 << 10
	keepLog   = 10_000
	opTime    = 30 * time.Second // the longest that one call may take
)

// change is what the log says.
type change struct {
	Gone  bool    `json:"gone,omitempty"` // else it has come, or was changed
	Inbox string  `json:"inbox"`
	ID    mail.ID `json:"id"`
}

// shared is files that all nodes have.
type shared struct {
	states States
	log    *slog.Logger
	last   atomic.Uint64 // a number of the log that is taken, as far as is known here
}

func (s *shared) close() {}

func (s *shared) get(room, key string) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), opTime)
	defer cancel()
	return s.states.Get(ctx, room, key)
}

func (s *shared) put(room, key string, value []byte, was uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), opTime)
	defer cancel()
	return s.states.Put(ctx, room, key, value, was)
}

func pieceKey(id mail.ID, nth int) string { return id.String() + "/" + fmt.Sprintf("%05d", nth) }

func numberKey(n uint64) string { return fmt.Sprintf("%020d", n) }

// cut is a text in pieces, the first of which begins with how many there are.
func cut(text []byte) (all [][]byte) {
	first := min(len(text), pieceSize)
	n := 1 + (len(text)-first+pieceSize-1)/pieceSize
	all = append(all, append(binary.BigEndian.AppendUint32(nil, uint32(n)), text[:first]...))
	for text = text[first:]; len(text) > 0; {
		piece := text[:min(len(text), pieceSize)]
		all, text = append(all, piece), text[len(piece):]
	}
	return all
}

// pieces is how many a first piece says that there are; 0: it is none.
func pieces(first []byte) int {
	if len(first) < 4 {
		return 0
	}
	if n := binary.BigEndian.Uint32(first); n <= maxPieces {
		return int(n)
	}
	return 0
}

const maxPieces = MaxMessage/pieceSize + 2

// store writes a text of a message anew: version is that of its first piece, or 0.
func (s *shared) store(room string, id mail.ID, text []byte, version uint64) error {
	all := cut(text)
	for i := len(all) - 1; i > 0; i-- {
		_, was, err := s.get(room, pieceKey(id, i))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := s.put(room, pieceKey(id, i), all[i], was); err != nil {
			return err
		}
	}
	return s.put(room, pieceKey(id, 0), all[0], version)
}

// load reads a text of a message, and the version of its first piece.
func (s *shared) load(room string, id mail.ID) ([]byte, uint64, error) {
	first, version, err := s.get(room, pieceKey(id, 0))
	if err != nil {
		return nil, 0, err
	}
	n := pieces(first)
	if n == 0 {
		return nil, 0, ErrNotFound
	}
	text := first[4:]
	for i := 1; i < n; i++ {
		piece, _, err := s.get(room, pieceKey(id, i))
		if err != nil {
			return nil, 0, err
		}
		text = append(text, piece...)
	}
	return text, version, nil
}

// discard removes a text, and reports whether it was there.
func (s *shared) discard(room string, id mail.ID) (was bool, err error) {
	first, version, err := s.get(room, pieceKey(id, 0))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := s.put(room, pieceKey(id, 0), nil, version); err != nil {
		return false, err
	}
	for i := 1; i < pieces(first); i++ {
		if _, version, err := s.get(room, pieceKey(id, i)); err == nil {
			_ = s.put(room, pieceKey(id, i), nil, version) // it means nothing any more
		}
	}
	return true, nil
}

func (s *shared) write(r *record, source []byte) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	m := &r.Message
	if err = s.store(sourceRoom, m.ID, source, 0); err == nil {
		err = s.store(recordRoom, m.ID, text, 0)
	}
	if err == nil {
		err = s.tell(change{Inbox: m.Inbox, ID: m.ID})
	}
	if err != nil {
		s.remove(m.Inbox, m.ID)
	}
	return err
}

func (s *shared) open(_ string, id mail.ID) (io.ReadSeekCloser, error) {
	text, _, err := s.load(sourceRoom, id)
	if err != nil {
		return nil, err
	}
	return inMemory{bytes.NewReader(text)}, nil
}

func (s *shared) read(_ string, id mail.ID) (*record, error) {
	r, _, err := s.record(id)
	return r, err
}

func (s *shared) record(id mail.ID) (*record, uint64, error) {
	text, version, err := s.load(recordRoom, id)
	if err != nil {
		return nil, 0, err
	}
	r, err := recordIn(text, id)
	return r, version, err
}

var errBroken = errors.New("its record is not what was written")

// recordIn reads a record; one that is not what we wrote is an error.
func recordIn(text []byte, id mail.ID) (*record, error) {
	r := new(record)
	if json.Unmarshal(text, r) != nil || r.Message.ID != id || Fold(r.Message.Inbox) != r.Message.Inbox {
		return nil, errBroken
	}
	return r, nil
}

func (s *shared) alter(inbox string, id mail.ID, alter func(*record)) (*record, error) {
	for range maxTries {
		r, version, err := s.record(id)
		if err != nil {
			return nil, err
		}
		alter(r)
		text, err := json.Marshal(r)
		if err == nil {
			err = s.store(recordRoom, id, text, version)
		}
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err == nil {
			err = s.tell(change{Inbox: inbox, ID: id})
		}
		return r, err
	}
	return nil, ErrConflict
}

// maxTries is how often something is tried again that other nodes do too.
const maxTries = 100

// remove removes a message; it is told by whoever did it.
func (s *shared) remove(inbox string, id mail.ID) {
	was, err := s.discard(recordRoom, id)
	if err == nil && was {
		err = s.tell(change{Gone: true, Inbox: inbox, ID: id})
	}
	if err == nil && was {
		_, err = s.discard(sourceRoom, id)
	}
	if err != nil && !errors.Is(err, ErrConflict) { // else another node removes it
		s.log.Error("a message of the inbox cannot be removed", "id", id, "err", err)
	}
}

// tell puts a change at the end of the log.
func (s *shared) tell(c change) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	n := s.last.Load()
	err = ErrConflict
	for tries := 0; errors.Is(err, ErrConflict) && tries < keepLog; tries++ {
		n++ // the end is not far, since whoever follows moves last
		err = s.put(logRoom, numberKey(n), text, 0)
	}
	if err == nil {
		s.saw(n)
		s.forget(n)
	}
	return err
}

// saw notes that a number is taken.
func (s *shared) saw(n uint64) {
	for {
		was := s.last.Load()
		if was >= n || s.last.CompareAndSwap(was, n) {
			return
		}
	}
}

// forget removes what is too old of the log.
func (s *shared) forget(n uint64) {
	if n <= keepLog {
		return
	}
	key := numberKey(n - keepLog)
	if _, version, err := s.get(logRoom, key); err == nil {
		_ = s.put(logRoom, key, nil, version) // it does no harm
	}
}

// since returns changes after a number, and the number of the last of them. ok is false if some are missing:
// all is to be read anew.
func (s *shared) since(ctx context.Context, after uint64) (all []change, last uint64, ok bool, err error) {
	list, err := s.states.List(ctx, logRoom, numberKey(after))
	if err != nil {
		return nil, after, true, err
	}
	last = after
	for _, v := range list {
		n, err := strconv.ParseUint(v.Key, 10, 64)
		var c change
		if err == nil {
			err = json.Unmarshal(v.Value, &c)
		}
		if err != nil || n != last+1 {
			return nil, max(n, last), false, nil
		}
		all, last = append(all, c), n
		s.saw(n)
	}
	return all, last, true, nil
}

// end is the number of the last change.
func (s *shared) end(ctx context.Context) (last uint64, err error) {
	for {
		list, err := s.states.List(ctx, logRoom, numberKey(last))
		if err != nil || len(list) == 0 {
			s.saw(last)
			return last, err
		}
		if last, err = strconv.ParseUint(list[len(list)-1].Key, 10, 64); err != nil {
			return 0, err
		}
	}
}

// each gives every message to a function. What cannot be read is passed over.
func (s *shared) each(ctx context.Context, do func(*record)) error {
	for after := ""; ; {
		list, err := s.states.List(ctx, recordRoom, after)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, v := range list {
			after = v.Key
			name, first := strings.CutSuffix(v.Key, "/00000")
			id, err := mail.ParseID(name)
			if !first || err != nil {
				continue
			}
			r, err := s.whole(v.Value, id)
			if err == nil {
				do(r)
			} else if !errors.Is(err, ErrNotFound) {
				s.log.Warn("a message of the inbox is passed over", "id", id, "err", err)
			}
		}
	}
}

// whole is the record whose first piece is known.
func (s *shared) whole(first []byte, id mail.ID) (*record, error) {
	if pieces(first) == 1 {
		return recordIn(first[4:], id)
	}
	return s.read("", id)
}
