package event

import (
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// An event is kept as an octet with its kind, and its fields in the wire format
// of protocol buffers: numbers are zigzag varints, everything else is a string
// of octets. What is zero is left out. A field of an unknown number is passed
// over, so that a journal can be read by an older program.

// Append appends an event as the journal keeps it.
func Append(dst []byte, e Event) []byte {
	if dst == nil {
		dst = make([]byte, 0, usual)
	}
	c := codec{out: append(dst, byte(e.kind()))}
	e.fields(&c)
	return c.out
}

// usual is as long as most events are, in octets.
const usual = 256

// Parse reads what Append wrote. The event does not refer to data.
func Parse(data []byte) (Event, error) { return new(Parser).Parse(data) }

// Parser reads one event after another, with the same memory. It belongs to one
// goroutine. The zero value is ready.
type Parser struct{ codec codec }

// Parse reads an event as the function of that name does.
func (p *Parser) Parse(data []byte) (Event, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("event: empty")
	}
	e := kind(data[0]).empty()
	if e == nil {
		return nil, fmt.Errorf("event: unknown kind %d", data[0])
	}
	c := &p.codec
	*c = codec{reading: true, data: data, copy: string(data), in: c.in[:0]}
	c.split(1, len(data))
	e.fields(c)
	c.data, c.copy = nil, ""
	if c.err != nil {
		return nil, fmt.Errorf("event: %w", c.err)
	}
	return e, nil
}

// codec writes the fields of an event, or reads them. That both are the same
// walk over the same fields is what makes them agree.
type codec struct {
	reading bool
	out     []byte // what is written

	data  []byte  // what is read
	copy  string  // of it, of which the event has pieces
	in    []field // what was found in it
	group int     // where in the list those of the group begin that is read
	err   error
}

// field is a number, or the octets from one place in the data to another.
type field struct {
	num      protowire.Number
	text     bool
	value    uint64
	from, to int
}

// split finds the fields between two places of the data.
func (c *codec) split(from, to int) {
	for from < to && c.err == nil {
		num, typ, n := protowire.ConsumeTag(c.data[from:to])
		if n < 0 {
			c.err = protowire.ParseError(n)
			return
		}
		from += n
		f := field{num: num, text: typ == protowire.BytesType}
		switch typ {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(c.data[from:to])
		case protowire.BytesType:
			var text []byte
			text, n = protowire.ConsumeBytes(c.data[from:to])
			f.from, f.to = from+n-len(text), from+n
		default:
			n = protowire.ConsumeFieldValue(num, typ, c.data[from:to])
			f.num = 0
		}
		if n < 0 {
			c.err = protowire.ParseError(n)
			return
		}
		from += n
		c.in = append(c.in, f)
	}
}

// find returns the field of a number in the group; false if there is none of that type.
func (c *codec) find(num protowire.Number, text bool) (field, bool) {
	for _, f := range c.in[c.group:] {
		if f.num == num && f.text == text {
			return f, true
		}
	}
	return field{}, false
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *codec) put(num protowire.Number, value int64) {
	c.out = protowire.AppendTag(c.out, num, protowire.VarintType)
	c.out = protowire.AppendVarint(c.out, protowire.EncodeZigZag(value))
}

// number is any integer, or what is declared as one.
func number[T ~int | ~int64 | ~uint8](c *codec, num protowire.Number, p *T) {
	if !c.reading {
		if *p != 0 {
			c.put(num, int64(*p))
		}
		return
	}
	if f, is := c.find(num, false); is {
		v := protowire.DecodeZigZag(f.value)
		if *p = T(v); int64(*p) != v {
			c.fail(fmt.Errorf("field %d is out of range", num))
		}
	}
}

func (c *codec) bool(num protowire.Number, p *bool) {
	var n uint8
	if *p {
		n = 1
	}
	number(c, num, &n)
	*p = n != 0
}

func (c *codec) time(num protowire.Number, p *time.Time) {
	if !c.reading {
		if !p.IsZero() {
			c.put(num, p.UnixNano())
		}
		return
	}
	if f, is := c.find(num, false); is {
		*p = time.Unix(0, protowire.DecodeZigZag(f.value)).UTC()
	}
}

func (c *codec) text(num protowire.Number, p *string) {
	if !c.reading {
		if *p != "" {
			c.out = protowire.AppendTag(c.out, num, protowire.BytesType)
			c.out = protowire.AppendString(c.out, *p)
		}
		return
	}
	if f, is := c.find(num, true); is {
		*p = c.copy[f.from:f.to]
	}
}

func (c *codec) path(num protowire.Number, p *smtp.Path) {
	if !c.reading {
		if !p.IsNull() {
			mark := c.begin(num)
			c.out, _ = p.AppendText(c.out) // it has no errors
			c.measure(mark)
		}
		return
	}
	s := ""
	if c.text(num, &s); s != "" {
		var err error
		if *p, err = smtp.ParseMailbox(s); err != nil {
			c.fail(fmt.Errorf("field %d: %w", num, err))
		}
	}
}

func (c *codec) client(num protowire.Number, p *netip.AddrPort) {
	if !c.reading {
		if p.IsValid() {
			mark := c.begin(num)
			c.out = p.AppendTo(c.out)
			c.measure(mark)
		}
		return
	}
	s := ""
	if c.text(num, &s); s != "" {
		var err error
		if *p, err = netip.ParseAddrPort(s); err != nil {
			c.fail(err)
		}
	}
}

// inner is a field that has fields; if they are all zero it is left out.
func (c *codec) inner(num protowire.Number, fields func(*codec)) { c.nest(num, false, fields) }

func (c *codec) nest(num protowire.Number, always bool, fields func(*codec)) {
	if !c.reading {
		start := len(c.out)
		mark := c.begin(num)
		if fields(c); len(c.out) == mark && !always {
			c.out = c.out[:start]
			return
		}
		c.measure(mark)
		return
	}
	if f, is := c.find(num, true); is {
		c.within(f, fields)
	}
}

// begin begins a field whose length is not known yet: measure is told where.
func (c *codec) begin(num protowire.Number) (mark int) {
	c.out = protowire.AppendTag(c.out, num, protowire.BytesType)
	return len(c.out)
}

// measure puts before what was written from mark on how much it is.
func (c *codec) measure(mark int) {
	n := len(c.out) - mark
	size := protowire.SizeVarint(uint64(n))
	c.out = append(c.out, "0123456789"[:size]...)
	copy(c.out[mark+size:], c.out[mark:mark+n])
	protowire.AppendVarint(c.out[:mark], uint64(n))
}

// within reads the fields of a field.
func (c *codec) within(f field, fields func(*codec)) {
	outer := c.group
	c.group = len(c.in)
	c.split(f.from, f.to)
	fields(c)
	c.in, c.group = c.in[:c.group], outer
}

// list is a field that may be there more than once.
func list[T any](c *codec, num protowire.Number, p *[]T, fields func(*codec, *T)) {
	if !c.reading {
		for i := range *p {
			c.nest(num, true, func(c *codec) { fields(c, &(*p)[i]) })
		}
		return
	}
	for _, f := range c.in[c.group:] { // within adds others behind them, and takes them away
		if f.num == num && f.text {
			var one T
			c.within(f, func(c *codec) { fields(c, &one) })
			*p = append(*p, one)
		}
	}
}

func (c *codec) reply(num protowire.Number, p **smtp.Reply) {
	if c.reading {
		if _, is := c.find(num, true); !is {
			return
		}
		*p = new(smtp.Reply)
	}
	if r := *p; r != nil {
		c.nest(num, true, func(c *codec) {
			number(c, 1, &r.Code)
			for i := range r.Enhanced {
				number(c, protowire.Number(2+i), &r.Enhanced[i])
			}
			c.text(5, &r.Text)
		})
	}
}

func (c *codec) hop(num protowire.Number, h *mail.Hop) {
	c.inner(num, func(c *codec) {
		c.text(1, &h.Route)
		c.text(2, &h.Transport)
		c.text(3, &h.Destination)
		c.text(4, &h.Origin.File)
		number(c, 5, &h.Origin.Line)
		number(c, 6, &h.Origin.Column)
	})
}

func (c *codec) origin(num protowire.Number, o *mail.Origin) {
	c.inner(num, func(c *codec) {
		c.text(1, &o.File)
		number(c, 2, &o.Line)
		number(c, 3, &o.Column)
	})
}

func (c *codec) source(num protowire.Number, s *mail.Source) {
	c.inner(num, func(c *codec) {
		c.text(1, &s.Listener)
		c.client(2, &s.Client)
		c.text(3, &s.Hello)
		c.text(4, &s.Protocol)
		c.text(5, &s.TLS)
		c.text(6, &s.Login)
	})
}

func (a *Accepted) fields(c *codec) {
	c.path(1, &a.From)
	list(c, 2, &a.To, func(c *codec, r *Recipient) {
		c.path(1, &r.To)
		c.path(2, &r.Original)
	})
	number(c, 3, &a.More)
	number(c, 4, &a.Size)
	c.source(5, &a.Source)
	c.text(6, &a.Subject)
	c.text(7, &a.MessageID)
	c.text(8, &a.Repaired)
}

func (r *Refused) fields(c *codec) {
	c.source(1, &r.Source)
	number(c, 2, &r.Stage)
	c.path(3, &r.From)
	c.path(4, &r.To)
	c.reply(5, &r.Reply)
	c.text(6, &r.Check)
	c.text(7, &r.Why)
	c.origin(8, &r.Origin)
}

func (d *Decided) fields(c *codec) { (*Attempt)(d).fields(c) }

func (a *Attempt) fields(c *codec) {
	o := &a.Outcome
	number(c, 1, &o.Recipient)
	number(c, 2, &o.Fate)
	c.time(3, &o.At)
	number(c, 4, &o.Took)
	c.reply(5, &o.Reply)
	c.bool(6, &o.Local)
	number(c, 7, &o.Stage)
	c.bool(8, &o.Unsure)
	c.bool(9, &o.OurLimit)
	c.bool(10, &o.HostDown)
	c.text(11, &o.Host)
	c.text(12, &o.Addr)
	c.text(13, &o.TLS)
	c.bool(14, &o.Forwarded)
	c.bool(15, &o.Encoded)
	c.text(16, &o.Tried)
	c.path(17, &a.To)
	c.hop(18, &a.Hop)
	c.time(19, &a.Next)
	number(c, 20, &a.Owed)
}

func (r *Reported) fields(c *codec) {
	id := string(r.Report[:])
	if r.Report.IsZero() {
		id = ""
	}
	c.text(1, &id)
	if c.reading && id != "" && copy(r.Report[:], id) != len(id) {
		c.fail(fmt.Errorf("field 1: an id of %d octets", len(id)))
	}
	c.path(2, &r.To)
	number(c, 3, &r.Action)
	list(c, 4, &r.Recipients, func(c *codec, i *int) { number(c, 1, i) })
	c.text(5, &r.Dropped)
}

func (s *SecondCopy) fields(c *codec) {
	number(c, 1, &s.Recipient)
	c.path(2, &s.To)
	c.text(3, &s.Why)
}

func (o *Ordered) fields(c *codec) {
	number(c, 1, &o.Recipient)
	c.path(2, &o.To)
	c.text(3, &o.Order)
	c.text(4, &o.By)
	c.text(5, &o.Reason)
	c.hop(6, &o.Via)
}

func (d *Damaged) fields(c *codec) { c.text(1, &d.What) }

func (f *LoginFailed) fields(c *codec) {
	c.source(1, &f.Source)
	c.text(2, &f.Mechanism)
	c.text(3, &f.Account)
	c.text(4, &f.Why)
	c.reply(5, &f.Reply)
}

func (j *Judged) fields(c *codec) {
	c.text(1, &j.Action)
	list(c, 2, &j.Opinions, func(c *codec, o *Opinion) {
		c.text(1, &o.Check)
		number(c, 2, &o.Stage)
		c.text(3, &o.Action)
		c.text(4, &o.Why)
		c.origin(5, &o.Origin)
		c.text(6, &o.Results)
		c.text(7, &o.AtMost)
		c.origin(8, &o.Limit)
	})
	c.text(3, &j.Changed)
}
