package pebblespool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBroken = errors.New("record is broken")

// seal ends a record with a checksum over it and the key it belongs to, so that
// a record under a wrong key is no record.
func seal(record, key []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record))
}

// unseal checks the checksum and takes it off.
func unseal(record, key []byte) ([]byte, error) {
	n := len(record) - 4
	if n < 0 {
		return nil, errBroken
	}
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record[:n])
	if sum != binary.LittleEndian.Uint32(record[n:]) {
		return nil, errors.New("checksum does not match")
	}
	return record[:n], nil
}

// encoder appends fields; decoder reads them in the same order.
type encoder []byte

func (e *encoder) int(n int64)   { *e = binary.AppendVarint(*e, n) }
func (e *encoder) text(s string) { e.int(int64(len(s))); *e = append(*e, s...) }

// octets are read as a text is.
func (e *encoder) octets(b []byte) { e.int(int64(len(b))); *e = append(*e, b...) }

func (e *encoder) time(t time.Time) { e.int(nanos(t)) }

func (e *encoder) bools(bits ...bool) {
	var n int64
	for i, b := range bits {
		if b {
			n |= 1 << i
		}
	}
	e.int(n)
}

type decoder struct {
	data []byte
	err  error
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.data)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) text() string { return string(d.octets()) }

// octets are a piece of the record itself.
func (d *decoder) octets() []byte {
	n := d.int()
	if n < 0 || n > int64(len(d.data)) {
		d.fail()
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) fail() {
	d.err = errBroken
	d.data = nil
}

func (d *decoder) time() time.Time {
	n := d.int()
	if n < 0 { // nanos writes none
		d.fail()
	}
	return instant(n)
}

func (d *decoder) bools(bits ...*bool) {
	n := d.int()
	for i, b := range bits {
		*b = n&(1<<i) != 0
	}
}

func (d *decoder) path() smtp.Path {
	s := d.text()
	if s == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		d.fail()
	}
	return p
}

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
		return head{}, errBroken
	}
	return head{
		size:       int64(binary.BigEndian.Uint64(b[1:])),
		file:       binary.BigEndian.Uint64(b[9:]),
		recipients: int(binary.BigEndian.Uint32(b[17:])),
		generation: binary.BigEndian.Uint64(b[21:]),
	}, nil
}

func appendEnvelope(b []byte, h *head, m *mail.Envelope) []byte {
	e := encoder(h.append(b))
	e.text(m.From.String())
	e.time(m.Arrived)
	s := &m.Source
	client, _ := s.Client.MarshalText() // of a valid address it cannot fail
	for _, t := range []string{
		s.Listener, string(client), s.Hello, s.Protocol, s.TLS, s.Login,
		string(m.Body), string(m.Return), m.EnvID, m.Subject, m.MessageID,
	} {
		e.text(t)
	}
	e.bools(m.UTF8, m.RequireTLS, m.ByTrace)
	e.int(int64(m.Priority))
	e.time(m.HoldUntil)
	e.time(m.By)
	e.int(int64(m.ByMode))
	e.int(int64(m.Hops))
	for i := range m.To {
		appendRecipient(&e, &m.To[i])
	}
	return e
}

func appendRecipient(e *encoder, r *mail.Recipient) {
	to, original := r.To.String(), r.Original.String()
	if original == to {
		original = ""
	}
	e.text(to)
	e.bools(original == "", r.Original.IsNull(), r.Into != "", r.Expanded, r.Junk)
	e.text(original)
	e.text(r.ORcpt.Type)
	e.text(r.ORcpt.Addr)
	e.int(int64(r.Notify))
	if r.Into != "" {
		e.text(r.Into)
		e.origin(&r.Origin)
	}
}

func (e *encoder) origin(o *mail.Origin) {
	e.text(o.File)
	e.int(int64(o.Line))
	e.int(int64(o.Column))
}

func readEnvelope(id mail.ID, record []byte) (*mail.Envelope, head, error) {
	record, err := unseal(record, id[:])
	if err != nil {
		return nil, head{}, err
	}
	h, err := readHead(record)
	if err != nil || h.recipients > spool.MaxRecipients {
		return nil, head{}, errBroken
	}
	d := decoder{data: record[headSize:]}
	m := &mail.Envelope{ID: id, Size: h.size, From: d.path(), Arrived: d.time()}
	s := &m.Source
	s.Listener = d.text()
	s.Client, _ = netip.ParseAddrPort(d.text()) // "" is the invalid one
	s.Hello, s.Protocol, s.TLS, s.Login = d.text(), d.text(), d.text(), d.text()
	m.Body, m.Return, m.EnvID = smtp.Body(d.text()), smtp.Return(d.text()), d.text()
	m.Subject, m.MessageID = d.text(), d.text()
	d.bools(&m.UTF8, &m.RequireTLS, &m.ByTrace)
	m.Priority = int(d.int())
	m.HoldUntil, m.By, m.ByMode, m.Hops = d.time(), d.time(), smtp.ByMode(d.int()), int(d.int())
	m.To = make([]mail.Recipient, h.recipients)
	for i := range m.To {
		d.recipient(&m.To[i])
	}
	return m, h, d.end()
}

func (d *decoder) recipient(r *mail.Recipient) {
	var alike, null, into bool
	r.To = d.path()
	d.bools(&alike, &null, &into, &r.Expanded, &r.Junk)
	original := d.path()
	switch {
	case alike && !null:
		r.Original = r.To
	case !alike:
		r.Original = original
	}
	r.ORcpt = smtp.ORcpt{Type: d.text(), Addr: d.text()}
	r.Notify = smtp.Notify(d.int())
	if into {
		r.Into = d.text()
		r.Origin = d.origin()
	}
}

func (d *decoder) origin() mail.Origin {
	return mail.Origin{File: d.text(), Line: int(d.int()), Column: int(d.int())}
}

func (d *decoder) end() error {
	if d.err == nil && len(d.data) > 0 {
		return errBroken
	}
	return d.err
}

// standing is what a recipient's record holds beside its spool.Standing.
type standing struct {
	spool.Standing
	generation uint64 // of the engine that wrote it
}

func (s *standing) place() spool.Place {
	switch {
	case s.Fate.Final():
		return 0
	case s.Held:
		return spool.Held
	}
	return spool.Waiting
}

func (s *standing) append(b []byte) []byte {
	e := encoder(append(b, recordVersion))
	e.int(int64(s.generation))
	e.int(int64(s.Fate))
	e.time(s.Due)
	e.text(s.Destination)
	e.int(int64(s.Attempts))
	e.bools(s.DelayTold, s.Held, s.Suspect, s.LateTold)
	appendOutcome(&e, &s.Last)
	appendOrder(&e, &s.Order)
	return e
}

func appendOutcome(e *encoder, o *mail.Outcome) {
	e.int(int64(o.Fate))
	if o.Fate == 0 && o.Reply == nil && o.At.IsZero() {
		e.int(0)
		return
	}
	e.int(1)
	e.int(int64(o.Recipient))
	e.time(o.At)
	e.int(int64(o.Took))
	e.bools(o.Reply != nil, o.Local, o.Unsure, o.OurLimit, o.HostDown, o.Forwarded, o.Encoded)
	if r := o.Reply; r != nil {
		for _, n := range []int{int(r.Code), r.Enhanced[0], r.Enhanced[1], r.Enhanced[2]} {
			e.int(int64(n))
		}
		e.text(r.Text)
	}
	e.int(int64(o.Stage))
	e.text(o.Host)
	e.text(o.Addr)
	e.text(o.TLS)
	e.text(o.Tried)
}

func (d *decoder) outcome(o *mail.Outcome) {
	o.Fate = mail.Fate(d.int())
	if d.int() == 0 {
		return
	}
	var replied bool
	o.Recipient, o.At, o.Took = int(d.int()), d.time(), time.Duration(d.int())
	d.bools(&replied, &o.Local, &o.Unsure, &o.OurLimit, &o.HostDown, &o.Forwarded, &o.Encoded)
	if replied {
		o.Reply = &smtp.Reply{Code: smtp.Code(d.int())}
		o.Reply.Enhanced = smtp.EnhancedCode{int(d.int()), int(d.int()), int(d.int())}
		o.Reply.Text = d.text()
	}
	o.Stage = smtp.Verb(d.int())
	o.Host, o.Addr, o.TLS, o.Tried = d.text(), d.text(), d.text(), d.text()
}

func appendOrder(e *encoder, o *spool.Order) {
	e.int(int64(o.Verb))
	if o.Verb == 0 {
		return
	}
	e.time(o.At)
	for _, s := range []string{o.By, o.Reason, o.Via.Route, o.Via.Transport, o.Via.Destination} {
		e.text(s)
	}
	e.origin(&o.Via.Origin)
}

func (d *decoder) order(o *spool.Order) {
	if o.Verb = spool.Verb(d.int()); o.Verb == 0 {
		return
	}
	o.At = d.time()
	o.By, o.Reason = d.text(), d.text()
	o.Via.Route, o.Via.Transport, o.Via.Destination = d.text(), d.text(), d.text()
	o.Via.Origin = d.origin()
}

// peekStanding reads of a standing where the recipient is, and for which destination,
// without looking at its checksum; false: it cannot be read.
func peekStanding(record []byte) (place spool.Place, destination []byte, ok bool) {
	if len(record) == 0 || record[0] != recordVersion {
		return 0, nil, false
	}
	d := decoder{data: record[1:]}
	var s standing
	s.generation, s.Fate, s.Due = uint64(d.int()), mail.Fate(d.int()), d.time()
	destination, s.Attempts = d.octets(), int(d.int())
	d.bools(&s.DelayTold, &s.Held, &s.Suspect, &s.LateTold)
	return s.place(), destination, d.err == nil
}

func readStanding(ref spool.Ref, record []byte) (*standing, error) {
	record, err := unseal(record, ref.ID[:])
	if err != nil {
		return nil, err
	}
	if len(record) == 0 || record[0] != recordVersion {
		return nil, errBroken
	}
	d := decoder{data: record[1:]}
	s := &standing{generation: uint64(d.int())}
	s.Recipient, s.Fate, s.Due, s.Destination, s.Attempts = ref.Recipient, mail.Fate(d.int()), d.time(), d.text(), int(d.int())
	d.bools(&s.DelayTold, &s.Held, &s.Suspect, &s.LateTold)
	d.outcome(&s.Last)
	d.order(&s.Order)
	return s, d.end()
}
