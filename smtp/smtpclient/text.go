package smtpclient

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// text is a body that was looked at.
type text struct {
	body   Body
	whole  []byte // all of it, if it is in memory
	size   int64  // -1: unknown
	kind   smtp.Body
	utf8   bool // the header needs SMTPUTF8
	encode bool // to 7 bits
	plain  bool // DATA takes whole as it stands: it is clean, and no line begins with a dot
}

// load looks at a body. A short one is read into memory; a longer one is read
// through if told, the BODY parameter that the caller set, is empty.
func (x *text) load(c *Conn, body Body, told smtp.Body) error {
	x.body, x.size, x.kind = body, body.Size(), told
	if b, ok := body.(inMemory); ok && b != nil {
		x.whole = b
	} else if err := x.read(c, told == ""); err != nil {
		return err
	}
	if x.whole != nil {
		x.size = int64(len(x.whole))
	}
	if x.whole == nil || told == smtp.BodyBinary {
		return nil
	}
	var check smtp.LineCheck
	if err := cmp.Or(check.Check(x.whole), check.End()); err != nil {
		return err
	}
	x.plain = !check.Dotted()
	if told == "" {
		x.kind, x.utf8 = look(x.whole)
	}
	return nil
}

// look finds out what kind of text it is, and whether its header needs
// SMTPUTF8.
func look(whole []byte) (smtp.Body, bool) {
	if isASCII(whole) {
		return smtp.Body7Bit, false
	}
	var inspector message.Inspector
	_, _ = inspector.Write(whole)
	return kindOf(inspector.Traits())
}

func kindOf(traits message.Traits) (smtp.Body, bool) {
	if traits.Body8Bit || traits.UTF8Header {
		return smtp.Body8Bit, traits.UTF8Header
	}
	return smtp.Body7Bit, false
}

// read reads a body that may be short, or whose kind is not known.
func (x *text) read(c *Conn, inspect bool) error {
	short := x.size >= 0 && x.size < pieceSize
	if !short && !inspect {
		return nil
	}
	r, err := x.open()
	if err != nil {
		return err
	}
	defer r.Close()
	buf := c.memory(pieceSize)
	if short {
		buf = buf[:x.size+1]
	}
	n, err := fill(r, buf)
	switch {
	case err == io.EOF:
		x.whole = buf[:n]
		return nil
	case err != nil:
		return err
	}
	return x.inspect(r, buf)
}

// fill reads until buf is full. The error is io.EOF if the text is at its end.
// It stands in for io.ReadFull, whose io.ErrUnexpectedEOF may as well be that
// of a text which was cut short.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = r.Read(buf[n:])
		n += k
	}
	if n == len(buf) && err == io.EOF {
		return n, nil // the next Read will return it again
	}
	return n, err
}

var errSize = errors.New("the body is not as long as its Size says")

// open begins to read the body. A body that knows its size and ends elsewhere
// was cut, or is being changed: that is an error and not its end.
func (x *text) open() (io.ReadCloser, error) {
	r, err := x.body.Open()
	if size := x.body.Size(); err == nil && size >= 0 {
		return &exact{r, size}, nil
	}
	return r, err
}

// exact reads a body of known size.
type exact struct {
	io.ReadCloser
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.left -= int64(n)
	if e.left < 0 || err == io.EOF && e.left > 0 {
		return 0, errSize
	}
	return n, err
}

// inspect looks at a long body, of which buf is the beginning.
func (x *text) inspect(r io.Reader, buf []byte) error {
	var check smtp.LineCheck
	var inspector message.Inspector
	size := int64(0)
	for n, err := len(buf), error(nil); ; {
		size += int64(n)
		if fault := check.Check(buf[:n]); fault != nil {
			return fault
		}
		_, _ = inspector.Write(buf[:n])
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		n, err = fill(r, buf)
	}
	x.kind, x.utf8 = kindOf(inspector.Traits())
	if x.size < 0 {
		x.size = size // for SIZE=; nobody told
	}
	return check.End()
}

// to7Bit encodes the text anew: now if it is in memory, else while it is sent.
func (x *text) to7Bit() error {
	x.kind, x.size, x.encode, x.plain = smtp.Body7Bit, -1, true, false
	if x.whole == nil {
		return nil
	}
	var out bytes.Buffer
	if err := message.Encode7Bit(&out, bytes.NewReader(x.whole)); err != nil {
		return err
	}
	x.whole, x.encode = out.Bytes(), false
	x.size = int64(out.Len())
	return nil
}

// writeTo writes the text.
func (x *text) writeTo(c *Conn, w io.Writer) error {
	if x.whole != nil {
		_, err := w.Write(x.whole)
		return err
	}
	r, err := x.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if x.encode {
		return encodeFault(message.Encode7Bit(w, r))
	}
	_, err = io.CopyBuffer(w, struct{ io.Reader }{r}, c.memory(pieceSize))
	return err
}

// encodeFault makes a refusal of an error that says that a text has no 7-bit form;
// other errors are of reading it.
func encodeFault(err error) error {
	var header *message.HeaderError
	if errors.Is(err, message.ErrNot7Bit) || errors.Is(err, message.ErrTooComplex) || errors.As(err, &header) {
		return refuse(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 3}, err)
	}
	return err
}

// memory returns n octets that the connection keeps for its texts.
func (c *Conn) memory(n int) []byte {
	if cap(c.text) < n {
		c.text = make([]byte, n)
	}
	return c.text[:n]
}

// isASCII looks at eight octets at a time.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
