package pebblespool

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// What the keys begin with. Times are 8 octets of Unix nanoseconds, big-endian,
// 0 for the zero time; names end with an octet pair that no name contains.
//
//	b ID                    the body: content, or what tells of its file        once, SingleDelete
//	c                       counters, merged
//	d name due ID index     due index: waiting recipients by destination
//	e ID                    the envelope, with a fixed head                     once, SingleDelete
//	i ID seq                journal by message; no value
//	j seq                   journal
//	l name                  the start of this destination was moved past leased recipients
//	m word                  facts about the spool: version, generation, clean, lease stamp
//	n ID                    first flight: some recipients were never settled; where to    once, SingleDelete
//	o time name             destinations by the time from which they are worth a visit
//	p ID                    progress of a message with more than one recipient
//	q ID                    quarantine
//	r ID index              standing of a recipient that is not fresh
//	s name                  the destination itself
//	w number                intent: a body file of that number may be on the disk and in no body
//	x expires room key      states by expiry
//	y room key              states
const (
	kBody     = 'b'
	kCount    = 'c'
	kDue      = 'd'
	kEnvelope = 'e'
	kFactOf   = 'i'
	kFact     = 'j'
	kMoved    = 'l'
	kMeta     = 'm'
	kFresh    = 'n'
	kVisit    = 'o'
	kProgress = 'p'
	kDamage   = 'q'
	kStanding = 'r'
	kPlace    = 's'
	kIntent   = 'w'
	kExpiry   = 'x'
	kState    = 'y'
)

var (
	metaVersion    = []byte("m version")
	metaGeneration = []byte("m generation")
	metaClean      = []byte("m clean")
	metaUnclean    = []byte("m unclean")
	metaStamp      = []byte("m stamp")
	metaFiles      = []byte("m files")
	counters       = []byte{kCount}
)

func idKey(kind byte, id mail.ID) []byte { return append([]byte{kind}, id[:]...) }

func idOf(key []byte) mail.ID { return mail.ID(key[1:13]) }

func refKey(kind byte, ref spool.Ref) []byte {
	return binary.BigEndian.AppendUint32(idKey(kind, ref.ID), uint32(ref.Recipient))
}

func refOf(key []byte) spool.Ref {
	return spool.Ref{ID: idOf(key), Recipient: int(binary.BigEndian.Uint32(key[13:]))}
}

func numberKey(kind byte, n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kind}, n) }

// appendName appends a name so that the order of keys is that of names, and no
// name is the start of another.
func appendName(key []byte, name string) []byte {
	key = append(key, strings.ReplaceAll(name, "\x00", "\x00\xff")...)
	return append(key, 0, 1)
}

// cutName takes what appendName wrote off a key.
func cutName(key []byte) (name string, rest []byte) {
	end := bytes.Index(key, []byte{0, 1})
	if end < 0 {
		return "", nil
	}
	return strings.ReplaceAll(string(key[:end]), "\x00\xff", "\x00"), key[end+2:]
}

func nameKey(kind byte, name string) []byte { return appendName([]byte{kind}, name) }

func dueKey(name string, due time.Time, ref spool.Ref) []byte {
	key := appendTime(nameKey(kDue, name), due)
	return binary.BigEndian.AppendUint32(append(key, ref.ID[:]...), uint32(ref.Recipient))
}

// cutDue reads a due key without its name.
func cutDue(rest []byte) (due time.Time, ref spool.Ref) {
	return timeOf(rest), refOf(rest[7:])
}

func visitKey(at time.Time, name string) []byte {
	return appendName(appendTime([]byte{kVisit}, at), name)
}

// after is the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(spool.Nanos(t)))
}

func timeOf(b []byte) time.Time { return spool.Instant(int64(binary.BigEndian.Uint64(b))) }
