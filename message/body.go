package message

import (
	"bufio"
	"crypto/rand"
	"io"
	"slices"
	"strings"
)

// part is a node of the MIME tree that a message is written from: a leaf with
// a body, or a multipart with children.
type part struct {
	headerPrinter        // the Content- fields
	encoding      string // Content-Transfer-Encoding
	body          func(io.Writer) error

	children []*part
	boundary string
}

// WriteTo writes the message, with CRLF line ends. Attachments are read as
// they are written. If anything but an attachment is at fault the error is a
// [*FieldError], and nothing has been written.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	header, err := m.header()
	if err != nil {
		return 0, err
	}
	root, err := m.tree()
	if err != nil {
		return 0, err
	}
	c := &countingWriter{w: w}
	bw := bufio.NewWriterSize(c, 16<<10)
	bw.Write(header) // a bufio.Writer keeps its error
	if len(root.buf) > 0 {
		bw.WriteString("MIME-Version: 1.0\r\n")
	}
	err = root.write(bw)
	if err == nil {
		err = bw.Flush()
	}
	return c.n, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// tree arranges the parts (RFC 2046, 5.1): the letter, the images beside the
// HTML, the attachments after it all.
func (m *Message) tree() (*part, error) {
	inline, attached, err := m.attachments()
	if err != nil {
		return nil, err
	}
	var letter []*part
	if m.Text != "" || m.isBare() {
		text, err := m.textPart("Text", "text/plain", m.Text)
		if err != nil {
			return nil, err
		}
		letter = append(letter, text)
	}
	if m.HTML != "" {
		html, err := m.textPart("HTML", "text/html", m.HTML)
		if err != nil {
			return nil, err
		}
		letter = append(letter, m.multipart("related", append([]*part{html}, inline...)))
	} else {
		attached = append(inline, attached...)
	}
	if len(letter) > 0 {
		letter = []*part{m.multipart("alternative", letter)}
	}
	return m.multipart("mixed", append(letter, attached...)), nil
}

func (m *Message) attachments() (inline, attached []*part, err error) {
	raw := m.rawHeader()
	for i := range m.Attachments {
		p, err := m.Attachments[i].part(i, raw)
		if err != nil {
			return nil, nil, err
		}
		if m.Attachments[i].ContentID != "" {
			inline = append(inline, p)
		} else {
			attached = append(attached, p)
		}
	}
	return inline, attached, nil
}

// multipart puts children under one node. A single child needs none.
func (m *Message) multipart(subtype string, children []*part) *part {
	if len(children) == 1 {
		return children[0]
	}
	p := &part{children: children, boundary: m.newBoundary()}
	params := map[string]string{"boundary": p.boundary}
	if subtype == "related" { // RFC 2387, 3.1
		params["type"] = "text/html"
	}
	if slices.ContainsFunc(children, func(c *part) bool { return c.encoding == "8bit" }) {
		p.encoding = "8bit" // RFC 2045, 6.4
	}
	p.contentType("multipart/"+subtype, params)
	return p
}

// newBoundary makes a boundary that is in no part (RFC 2046, 5.1.1). Neither
// quoted-printable nor base64 can hold "=_", and texts that are not encoded are
// searched. An attached message cannot hold a random number made after it.
func (m *Message) newBoundary() string {
	for {
		b := "=_" + rand.Text()
		if !strings.Contains(m.Text, b) && !strings.Contains(m.HTML, b) {
			return b
		}
	}
}

// write prints the fields, an empty line and the body. The CRLF before each
// boundary belongs to the boundary (RFC 2046, 5.1.1), so that a text keeps its
// own.
func (p *part) write(w *bufio.Writer) error {
	w.Write(p.buf)
	w.WriteString("\r\n")
	if p.children == nil {
		return p.body(w)
	}
	for _, child := range p.children {
		w.WriteString("--" + p.boundary + "\r\n")
		if err := child.write(w); err != nil {
			return err
		}
		if child.encoding != "base64" { // whose last CRLF is not content
			w.WriteString("\r\n")
		}
	}
	w.WriteString("--" + p.boundary + "--\r\n")
	return nil
}
