package pebblespool

import (
	"encoding/binary"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// head is the fixed start of an envelope record: what settling needs, without
// reading the rest.
type head struct {
	size       int64  // of the content
	file       uint64 // number of the body's file; 0: the body is in the body record
	recipients int
	generation uint64 // of the engine that committed it
}

const headSize = 1 + 8 + 8 + 4 + 8

// recordVersion is the first octet of envelopes and standings.
const recordVersion = 1

func (h *head) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, recordVersion), uint64(h.size))
	b = binary.BigEndian.AppendUint64(b, h.file)
	b = binary.BigEndian.AppendUint32(b, uint32(h.recipients))
	return binary.BigEndian.AppendUint64(b, h.generation)
}

func readHead(b []byte) (head, error) {
	if len(b) < headSize || b[0] != recordVersion {
		return head{}, spool.ErrRecord
	}
	return head{
		size:       int64(binary.BigEndian.Uint64(b[1:])),
		file:       binary.BigEndian.Uint64(b[9:]),
		recipients: int(binary.BigEndian.Uint32(b[17:])),
		generation: binary.BigEndian.Uint64(b[21:]),
	}, nil
}

func appendEnvelope(b []byte, h *head, m *mail.Envelope) []byte {
	return spool.AppendEnvelope(h.append(b), m)
}

func readEnvelope(id mail.ID, record []byte) (*mail.Envelope, head, error) {
	record, err := spool.Unseal(record, id[:])
	if err != nil {
		return nil, head{}, err
	}
	h, err := readHead(record)
	if err != nil {
		return nil, head{}, err
	}
	m, err := spool.ReadEnvelope(record[headSize:], h.recipients)
	if err != nil {
		return nil, head{}, err
	}
	m.ID, m.Size = id, h.size
	return m, h, nil
}

// standing is what a recipient's record holds beside its spool.Standing.
type standing struct {
	spool.Standing
	generation uint64 // of the engine that wrote it
}

func (s *standing) place() spool.Place { return placeOf(s.Fate, s.Held) }

func placeOf(fate mail.Fate, held bool) spool.Place {
	switch {
	case fate.Final():
		return 0
	case held:
		return spool.Held
	}
	return spool.Waiting
}

func (s *standing) append(b []byte) []byte {
	e := spool.Encoder(append(b, recordVersion))
	e.Int(int64(s.generation))
	return spool.AppendStanding(e, &s.Standing)
}

// peekStanding reads of a standing where the recipient is, and for which destination,
// without looking at its checksum.
func peekStanding(record []byte) (place spool.Place, destination []byte, err error) {
	if len(record) == 0 || record[0] != recordVersion {
		return 0, nil, spool.ErrRecord
	}
	d := spool.Decoder{Data: record[1:]}
	d.Int() // the generation
	fate, held, destination, err := spool.PeekStanding(d.Data)
	return placeOf(fate, held), destination, err
}

// peekReply reads of a standing that peekStanding could read the last reply; nil: there is none.
func peekReply(record []byte) *smtp.Reply {
	d := spool.Decoder{Data: record[1:]}
	d.Int() // the generation
	return spool.PeekReply(d.Data)
}

func readStanding(ref spool.Ref, record []byte) (*standing, error) {
	record, err := spool.Unseal(record, ref.ID[:])
	if err != nil {
		return nil, err
	}
	if len(record) == 0 || record[0] != recordVersion {
		return nil, spool.ErrRecord
	}
	d := spool.Decoder{Data: record[1:]}
	s := &standing{generation: uint64(d.Int())}
	if d.Err != nil {
		return nil, d.Err
	}
	s.Standing, err = spool.ReadStanding(d.Data, ref.Recipient)
	return s, err
}
