package transport

import (
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// FinalFields are what the last host adds on top of a message when it puts it
// into a mailbox: Return-Path (RFC 5321, 4.4), and Delivered-To, by which a loop is
// found. Each ends with CRLF.
func FinalFields(e *mail.Envelope, recipient int) string {
	return "Return-Path: <" + e.From.String() + ">\r\nDelivered-To: " + e.To[recipient].To.String() + "\r\n"
}

// Prepend returns a content with fields on top of it; they end with CRLF.
func Prepend(fields string, c mail.Content) mail.Content { return prepended{fields, c} }

type prepended struct {
	fields string
	mail.Content
}

func (p prepended) Size() int64 { return int64(len(p.fields)) + p.Content.Size() }

func (p prepended) Open() (io.ReadCloser, error) {
	r, err := p.Content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(p.fields), r), r}, nil
}
