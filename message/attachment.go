package message

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Attachment is a file that goes with a message. It is read while the message
// is written, in blocks, so that its size does not matter.
type Attachment struct {
	// Name is the file name, as people read it (RFC 2183, 2.3); may be empty.
	Name string
	// Type is the media type, with parameters if it has any (RFC 2045, 5.1).
	// Empty means the one that the extension of Name stands for, or else
	// application/octet-stream. A message/rfc822 is made 7-bit by
	// [Encode7Bit], its line ends become CRLF; one whose header is in UTF-8
	// ought to be a message/global (RFC 6532, 3.7). Everything but
	// message/rfc822 is sent in base64 and arrives byte for byte.
	Type string
	// ContentID is the msg-id by which the HTML shows an image, as in
	// <img src="cid:logo@example.org">, with or without angle brackets
	// (RFC 2392). It makes the attachment an inline one.
	ContentID string
	// Open is called once for each writing of the message; the reader is
	// closed at its end.
	Open func() (io.ReadCloser, error)
}

// File is the attachment of a file under the last element of its path.
func File(path string) Attachment {
	return Attachment{
		Name: filepath.Base(path),
		Open: func() (io.ReadCloser, error) { return os.Open(path) },
	}
}

// longestParamName leaves a parameter's value some room on the line.
const longestParamName = 40

func (a *Attachment) part(index int, raw bool) (*part, error) {
	where := fmt.Sprintf("Attachments[%d]", index)
	if err := checkValue(a.Name); err != nil {
		return nil, &FieldError{where + ".Name", err}
	}
	if a.Open == nil {
		return nil, &FieldError{where + ".Open", errors.New("is missing")}
	}
	typ, params, err := a.mediaType()
	if err != nil {
		return nil, &FieldError{where + ".Type", err}
	}
	p := &part{encoding: "base64", body: a.writeBase64}
	if typ == "message/rfc822" {
		p.encoding, p.body = "7bit", a.writeMessage
	}
	p.contentType(typ, params)
	p.contentDisposition(a)
	if a.ContentID == "" {
		return p, fieldError(where, p.err)
	}
	id, err := msgID(a.ContentID, raw)
	if err != nil {
		return nil, &FieldError{where + ".ContentID", err}
	}
	p.field("Content-ID", func() error {
		p.word(id)
		return nil
	})
	return p, fieldError(where, p.err)
}

func (a *Attachment) mediaType() (typ string, params map[string]string, err error) {
	typ, params, err = mime.ParseMediaType(cmp.Or(a.Type, typeByName(a.Name)))
	if err != nil {
		return "", nil, err
	}
	kind, subtype, _ := strings.Cut(typ, "/")
	switch {
	case !isToken(kind), !isToken(subtype):
		return "", nil, errors.New("is not a media type")
	case kind == "multipart":
		return "", nil, errors.New("a multipart cannot be attached: attach the message/rfc822 that it is in")
	}
	for name, value := range params {
		if len(name) > longestParamName {
			return "", nil, errors.New("has a parameter with a name that is too long")
		}
		if err := checkValue(value); err != nil {
			return "", nil, err
		}
	}
	return typ, params, nil
}

// typeByName is what the extension of a file name stands for.
func typeByName(name string) string {
	typ := mime.TypeByExtension(filepath.Ext(name))
	if typ == "" || strings.HasPrefix(typ, "multipart/") { // a saved web page
		return "application/octet-stream"
	}
	return typ
}

func (p *part) contentType(typ string, params map[string]string) {
	p.field("Content-Type", func() error {
		p.word(typ)
		names := make([]string, 0, len(params))
		for name := range params {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			p.param(name, params[name])
		}
		return nil
	})
	if p.encoding != "" {
		p.field("Content-Transfer-Encoding", func() error {
			p.word(p.encoding)
			return nil
		})
	}
}

func (p *part) contentDisposition(a *Attachment) {
	p.field("Content-Disposition", func() error {
		if a.ContentID == "" {
			p.word("attachment")
		} else {
			p.word("inline")
		}
		if a.Name != "" {
			p.param("filename", a.Name)
		}
		return nil
	})
}

func (a *Attachment) writeBase64(w io.Writer) error {
	return a.read(func(r io.Reader) error { return encodeBase64(w, r) })
}

func (a *Attachment) writeMessage(w io.Writer) error {
	return a.read(func(r io.Reader) error { return Encode7Bit(w, newCRLFReader(r)) })
}

func (a *Attachment) read(write func(io.Reader) error) error {
	r, err := a.Open()
	if err == nil {
		err = write(r)
		if closed := r.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return fmt.Errorf("message: attachment %q: %w", a.Name, err)
	}
	return nil
}
