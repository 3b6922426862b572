package policy

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// Text is a message with its header read, as a check sees it. It is a
// [mail.Content]; its body stays where it is, and may be read more than once.
type Text struct {
	Header message.Header // not to be changed

	end     []byte // between header and body
	content mail.Content
	skip    int64        // octets of content before the body
	body    mail.Content // in the place of it
	edited  bool
}

// ReadText reads the header of a message. A [*smtp.Reply] as the error refuses one whose
// header is longer than 1 MiB or has more than 1,000 fields.
func ReadText(c mail.Content) (*Text, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	t := &Text{content: c}
	h := message.NewHeaderReader(r, message.HeaderLimits{})
	for {
		f, err := h.Next()
		var bad *message.HeaderError
		switch {
		case errors.Is(err, io.EOF):
			t.end = bytes.Clone(h.End())
			t.skip += int64(len(t.end))
			return t, nil
		case errors.As(err, &bad):
			return nil, smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 6, 0}, "The header is too long: %s", bad.Reason)
		case err != nil:
			return nil, err
		}
		t.skip += int64(len(f))
		t.Header = append(t.Header, bytes.Clone(f))
	}
}

// Body opens the body. Whoever opens it closes it.
func (t *Text) Body() (io.ReadCloser, error) {
	if t.body != nil {
		return t.body.Open()
	}
	r, err := t.content.Open()
	if err != nil {
		return nil, err
	}
	if err := skip(r, t.skip); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func skip(r io.Reader, n int64) error {
	if s, is := r.(io.Seeker); is {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// Open implements [mail.Content].
func (t *Text) Open() (io.ReadCloser, error) {
	if !t.edited {
		return t.content.Open()
	}
	body, err := t.Body()
	if err != nil {
		return nil, err
	}
	parts := make([]io.Reader, 0, len(t.Header)+2)
	for _, f := range t.Header {
		parts = append(parts, bytes.NewReader(f))
	}
	parts = append(parts, bytes.NewReader(t.end), body)
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(parts...), body}, nil
}

// Size implements [mail.Content].
func (t *Text) Size() int64 {
	if !t.edited {
		return t.content.Size()
	}
	n := int64(len(t.end))
	for _, f := range t.Header {
		n += int64(len(f))
	}
	if t.body != nil {
		return n + t.body.Size()
	}
	return n + t.content.Size() - t.skip
}

// without returns the text without some fields, and how many they were.
func (t *Text) without(drop func(message.RawField) bool) (*Text, int) {
	if !slices.ContainsFunc(t.Header, drop) {
		return t, 0
	}
	n := *t
	n.edited = true
	n.Header = slices.DeleteFunc(slices.Clone(t.Header), drop)
	n.seal()
	return &n, len(t.Header) - len(n.Header)
}

// Edit returns the text with the fields and the body changed. The text itself stays.
func (t *Text) Edit(e *Edits) *Text {
	if !e.text() {
		return t
	}
	n := *t
	n.edited = true
	n.Header = slices.Clone(t.Header)
	n.seal()
	for i := range e.Fields {
		n.field(&e.Fields[i])
	}
	if e.Body != nil {
		n.body = e.Body
	}
	return &n
}

// seal sees to it that what is added to the header is a line of its own, and that nothing of the
// body becomes a field.
func (t *Text) seal() {
	if last := len(t.Header) - 1; last >= 0 && !bytes.HasSuffix(t.Header[last], []byte("\n")) {
		t.Header[last] = append(bytes.Clone(t.Header[last]), "\r\n"...)
	}
	if len(t.end) == 0 {
		t.end = []byte("\r\n")
	}
}

func (t *Text) field(e *FieldEdit) {
	at, there := t.place(e)
	switch line := e.raw(); {
	case e.Op == RemoveField:
		if there {
			t.Header = slices.Delete(t.Header, at, at+1)
		}
	case line == nil:
	case e.Op == ReplaceField && there:
		t.Header[at] = line
	default:
		t.Header = slices.Insert(t.Header, at, line)
	}
}

// place is where an edit takes place; at the end unless there is such a field.
func (t *Text) place(e *FieldEdit) (at int, there bool) {
	switch e.Op {
	case InsertField:
		return max(0, min(e.At, len(t.Header))), false
	case ReplaceField, RemoveField:
		n := 0
		for i, f := range t.Header {
			if !strings.EqualFold(f.Name(), e.Name) {
				continue
			}
			if n++; n == e.At {
				return i, true
			}
		}
	}
	return len(t.Header), false
}

// raw is the field as it stands in a message, nil if it is none.
func (f *Field) raw() message.RawField {
	if message.RawField(f.Name+":").Name() != f.Name || f.Name == "" || strings.TrimRight(f.Name, " \t") != f.Name {
		return nil
	}
	b := append(make([]byte, 0, len(f.Name)+len(f.Value)+8), f.Name+": "...)
	value := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(f.Value)
	for i, line := range strings.Split(strings.Trim(value, " \t\n"), "\n") {
		switch {
		case strings.Trim(line, " \t") == "": // a line of white space would end the header for some
			continue
		case i > 0 && line[0] != ' ' && line[0] != '\t':
			b = append(b, "\r\n\t"...)
		case i > 0:
			b = append(b, "\r\n"...)
		}
		b = append(b, line...)
	}
	return append(b, "\r\n"...)
}
