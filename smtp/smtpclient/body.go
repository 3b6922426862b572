package smtpclient

import (
	"bytes"
	"io"
)

// Body is the text of a message: header, empty line and body, in lines that
// end with CRLF. smtp.NewLines makes such lines of others. A last line without
// CRLF gets one. A bare CR or LF is refused, unless the envelope says that the
// text is binary.
type Body interface {
	// Open begins to read the text from its start. Send closes what it opens,
	// and opens a text once, or twice: a long text, whose envelope does not
	// say what is in it, is read through before it is sent.
	Open() (io.ReadCloser, error)

	// Size returns the number of octets, or -1 if it is not known. A text that
	// turns out shorter or longer is not sent.
	Size() int64
}

// Bytes returns a body that is in memory. It must not be changed before Send
// returns.
func Bytes(text []byte) Body { return inMemory(text) }

type inMemory []byte

func (b inMemory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
func (b inMemory) Size() int64                  { return int64(len(b)) }
