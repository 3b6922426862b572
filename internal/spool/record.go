package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// How engines write envelopes and standings, so that all read them alike. What is written once
// stays: a change needs a new version in the engines' records.

// ErrRecord: octets are no record.
var ErrRecord = errors.New("record is broken")

// Castagnoli makes the checksums of records and contents.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal ends a record with a checksum over it and the key it belongs to, so that
// a record under a wrong key is no record.
func Seal(record, key []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, crc32.Update(crc32.Checksum(key, Castagnoli), Castagnoli, record))
}

// Unseal checks the checksum and takes it off.
func Unseal(record, key []byte) ([]byte, error) {
	n := len(record) - 4
	if n < 0 {
		return nil, ErrRecord
	}
	sum := crc32.Update(crc32.Checksum(key, Castagnoli), Castagnoli, record[:n])
	if sum != binary.LittleEndian.Uint32(record[n:]) {
		return nil, errors.New("checksum does not match")
	}
	return record[:n], nil
}

// Encoder appends fields; [Decoder] reads them in the same order.
type Encoder []byte

// Int appends a number, small ones in few octets.
func (e *Encoder) Int(n int64) { *e = binary.AppendVarint(*e, n) }

// Text appends a string and how long it is.
func (e *Encoder) Text(s string) { e.Int(int64(len(s))); *e = append(*e, s...) }

// Octets appends what is read as a Text is.
func (e *Encoder) Octets(b []byte) { e.Int(int64(len(b))); *e = append(*e, b...) }

// Time appends an instant, to the nanosecond.
func (e *Encoder) Time(t time.Time) { e.Int(Nanos(t)) }

// Bools appends up to 63 bits.
func (e *Encoder) Bools(bits ...bool) {
	var n int64
	for i, b := range bits {
		if b {
			n |= 1 << i
		}
	}
	e.Int(n)
}

// Decoder reads fields off Data. After the first one that is broken Err is
// ErrRecord, and what is read is zero.
type Decoder struct {
	Data []byte
	Err  error
}

// Int reads a number.
func (d *Decoder) Int() int64 {
	n, size := binary.Varint(d.Data)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.Data = d.Data[size:]
	return n
}

// Text reads a string of what there is.
func (d *Decoder) Text() string { return string(d.Octets()) }

// Octets reads what Octets or Text appended: a piece of the record itself.
func (d *Decoder) Octets() []byte {
	n := d.Int()
	if n < 0 || n > int64(len(d.Data)) {
		d.fail()
		return nil
	}
	b := d.Data[:n:n]
	d.Data = d.Data[n:]
	return b
}

func (d *Decoder) fail() {
	d.Err = ErrRecord
	d.Data = nil
}

// Time reads an instant.
func (d *Decoder) Time() time.Time {
	n := d.Int()
	if n < 0 { // Nanos tells none
		d.fail()
	}
	return Instant(n)
}

// Bools reads bits.
func (d *Decoder) Bools(bits ...*bool) {
	n := d.Int()
	for i, b := range bits {
		*b = n&(1<<i) != 0
	}
}

// path appends a path as the Text that it prints.
func (e *Encoder) path(p smtp.Path) {
	n := len(p.Local()) + len(p.Domain())
	if p.Domain() != "" {
		n++
	}
	e.Int(int64(n))
	*e, _ = p.AppendText(*e) // it has no errors
}

func (d *Decoder) path() smtp.Path {
	s := d.Text()
	if s == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		d.fail()
	}
	return p
}

// AppendEnvelope appends what there is of an envelope but its ID, size and number of recipients.
func AppendEnvelope(b []byte, m *mail.Envelope) []byte {
	e := Encoder(b)
	e.path(m.From)
	e.Time(m.Arrived)
	s := &m.Source
	client, _ := s.Client.MarshalText() // of a valid address it cannot fail
	for _, t := range []string{
		s.Listener, string(client), s.Hello, s.Protocol, s.TLS, s.Login,
		string(m.Body), string(m.Return), m.EnvID, m.Subject, m.MessageID,
	} {
		e.Text(t)
	}
	e.Bools(m.UTF8, m.RequireTLS, m.ByTrace)
	e.Int(int64(m.Priority))
	e.Time(m.HoldUntil)
	e.Time(m.By)
	e.Int(int64(m.ByMode))
	e.Int(int64(m.Hops))
	for i := range m.To {
		appendRecipient(&e, &m.To[i])
	}
	return e
}

func appendRecipient(e *Encoder, r *mail.Recipient) {
	original := r.Original
	if original == r.To {
		original = smtp.Path{}
	}
	e.path(r.To)
	e.Bools(original.IsNull(), r.Original.IsNull(), r.Into != "", r.Expanded, r.Junk)
	e.path(original)
	e.Text(r.ORcpt.Type)
	e.Text(r.ORcpt.Addr)
	e.Int(int64(r.Notify))
	if r.Into != "" {
		e.Text(r.Into)
		e.origin(&r.Origin)
	}
}

func (e *Encoder) origin(o *mail.Origin) {
	e.Text(o.File)
	e.Int(int64(o.Line))
	e.Int(int64(o.Column))
}

// ReadEnvelope reads what AppendEnvelope wrote of a message with so many recipients.
func ReadEnvelope(record []byte, recipients int) (*mail.Envelope, error) {
	if recipients < 0 || recipients > MaxRecipients {
		return nil, ErrRecord
	}
	d := Decoder{Data: record}
	m := &mail.Envelope{From: d.path(), Arrived: d.Time()}
	s := &m.Source
	s.Listener = d.Text()
	s.Client, _ = netip.ParseAddrPort(d.Text()) // "" is the invalid one
	s.Hello, s.Protocol, s.TLS, s.Login = d.Text(), d.Text(), d.Text(), d.Text()
	m.Body, m.Return, m.EnvID = smtp.Body(d.Text()), smtp.Return(d.Text()), d.Text()
	m.Subject, m.MessageID = d.Text(), d.Text()
	d.Bools(&m.UTF8, &m.RequireTLS, &m.ByTrace)
	m.Priority = int(d.Int())
	m.HoldUntil, m.By, m.ByMode, m.Hops = d.Time(), d.Time(), smtp.ByMode(d.Int()), int(d.Int())
	m.To = make([]mail.Recipient, recipients)
	for i := range m.To {
		d.recipient(&m.To[i])
	}
	return m, d.End()
}

func (d *Decoder) recipient(r *mail.Recipient) {
	var alike, null, into bool
	r.To = d.path()
	d.Bools(&alike, &null, &into, &r.Expanded, &r.Junk)
	original := d.path()
	switch {
	case alike && !null:
		r.Original = r.To
	case !alike:
		r.Original = original
	}
	r.ORcpt = smtp.ORcpt{Type: d.Text(), Addr: d.Text()}
	r.Notify = smtp.Notify(d.Int())
	if into {
		r.Into = d.Text()
		r.Origin = d.origin()
	}
}

func (d *Decoder) origin() mail.Origin {
	return mail.Origin{File: d.Text(), Line: int(d.Int()), Column: int(d.Int())}
}

// End is ErrRecord if a field was broken, or something is left.
func (d *Decoder) End() error {
	if d.Err == nil && len(d.Data) > 0 {
		return ErrRecord
	}
	return d.Err
}

// AppendStanding appends a standing but its index.
func AppendStanding(b []byte, s *Standing) []byte {
	e := Encoder(b)
	e.Int(int64(s.Fate))
	e.Time(s.Due)
	e.Text(s.Destination)
	e.Int(int64(s.Attempts))
	e.Bools(s.DelayTold, s.Held, s.Suspect, s.LateTold)
	appendOutcome(&e, &s.Last)
	appendOrder(&e, &s.Order)
	return e
}

// ReadStanding reads what AppendStanding wrote of the recipient with that index.
func ReadStanding(record []byte, recipient int) (Standing, error) {
	d := Decoder{Data: record}
	s := Standing{Recipient: recipient, Fate: mail.Fate(d.Int()), Due: d.Time(), Destination: d.Text(), Attempts: int(d.Int())}
	d.Bools(&s.DelayTold, &s.Held, &s.Suspect, &s.LateTold)
	d.outcome(&s.Last)
	d.order(&s.Order)
	return s, d.End()
}

// PeekStanding reads the start of what AppendStanding wrote, and so what is cheap: the fate,
// whether the recipient is held, and the destination, which is a piece of the record.
func PeekStanding(record []byte) (fate mail.Fate, held bool, destination []byte, err error) {
	d := Decoder{Data: record}
	fate, _, destination, _ = mail.Fate(d.Int()), d.Time(), d.Octets(), d.Int()
	var delayTold bool
	d.Bools(&delayTold, &held)
	return fate, held, destination, d.Err
}

// PeekReply reads of what AppendStanding wrote the last reply; nil if there is none, or the
// record is broken.
func PeekReply(record []byte) *smtp.Reply {
	d := Decoder{Data: record}
	d.Int()
	d.Time()
	d.Octets()
	d.Int()
	d.Bools()
	d.Int() // the fate that the last outcome had
	if d.Int() == 0 {
		return nil
	}
	d.Int()
	d.Time()
	d.Int()
	var replied bool
	d.Bools(&replied)
	if !replied {
		return nil
	}
	if r := d.reply(); d.Err == nil {
		return r
	}
	return nil
}

func appendOutcome(e *Encoder, o *mail.Outcome) {
	e.Int(int64(o.Fate))
	if o.Fate == 0 && o.Reply == nil && o.At.IsZero() {
		e.Int(0)
		return
	}
	e.Int(1)
	e.Int(int64(o.Recipient))
	e.Time(o.At)
	e.Int(int64(o.Took))
	e.Bools(o.Reply != nil, o.Local, o.Unsure, o.OurLimit, o.HostDown, o.Forwarded, o.Encoded)
	if r := o.Reply; r != nil {
		for _, n := range []int{int(r.Code), r.Enhanced[0], r.Enhanced[1], r.Enhanced[2]} {
			e.Int(int64(n))
		}
		e.Text(r.Text)
	}
	e.Int(int64(o.Stage))
	e.Text(o.Host)
	e.Text(o.Addr)
	e.Text(o.TLS)
	e.Text(o.Tried)
}

func (d *Decoder) outcome(o *mail.Outcome) {
	o.Fate = mail.Fate(d.Int())
	if d.Int() == 0 {
		return
	}
	var replied bool
	o.Recipient, o.At, o.Took = int(d.Int()), d.Time(), time.Duration(d.Int())
	d.Bools(&replied, &o.Local, &o.Unsure, &o.OurLimit, &o.HostDown, &o.Forwarded, &o.Encoded)
	if replied {
		o.Reply = d.reply()
	}
	o.Stage = smtp.Verb(d.Int())
	o.Host, o.Addr, o.TLS, o.Tried = d.Text(), d.Text(), d.Text(), d.Text()
}

func (d *Decoder) reply() *smtp.Reply {
	return &smtp.Reply{
		Code: smtp.Code(d.Int()), Enhanced: smtp.EnhancedCode{int(d.Int()), int(d.Int()), int(d.Int())}, Text: d.Text(),
	}
}

func appendOrder(e *Encoder, o *Order) {
	e.Int(int64(o.Verb))
	if o.Verb == 0 {
		return
	}
	e.Time(o.At)
	for _, s := range []string{o.By, o.Reason, o.Via.Route, o.Via.Transport, o.Via.Destination} {
		e.Text(s)
	}
	e.origin(&o.Via.Origin)
}

func (d *Decoder) order(o *Order) {
	if o.Verb = Verb(d.Int()); o.Verb == 0 {
		return
	}
	o.At = d.Time()
	o.By, o.Reason = d.Text(), d.Text()
	o.Via.Route, o.Via.Transport, o.Via.Destination = d.Text(), d.Text(), d.Text()
	o.Via.Origin = d.origin()
}

// Nanos is the Unix time in nanoseconds, 0 for the zero time; what was before 1970 is taken for its first nanosecond.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, t.UnixNano())
}

// Instant is the time that Nanos told, in UTC.
func Instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
