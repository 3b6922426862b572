package smtpserver

import (
	"errors"
	"io"

	"github.com/posthouse/posthouse/smtp"
)

// errAborted is what the body of a transaction ends in when the client gives
// the transaction up between two chunks.
var errAborted = errors.New("transaction was given up before its last chunk")

// chunks is the body of a transaction that comes by BDAT (RFC 3030). Its
// reader drives the dialogue: at the end of a chunk it answers it and waits for
// the next.
type chunks struct {
	c     *Conn
	chunk *smtp.ChunkReader
	last  bool
	text  bool // not BODY=BINARYMIME: lines must end with CRLF
	check smtp.LineCheck
	size  int64 // octets of the chunks so far
	err   error // io.EOF, a fault of the text, errAborted, or what broke the connection
}

// bdat takes a chunk. The first one begins the text and stays here until the
// text is at its end; the others are asked for by chunks.next.
func (c *Conn) bdat(cmd smtp.Bdat) {
	if r := c.permit(cmd); r != nil {
		c.passOver(cmd, r)
		return
	}
	c.beginText()
	b := &chunks{c: c, text: c.params.Body != smtp.BodyBinary}
	b.check.Limit = c.server.limits.TextLine
	b.begin(cmd)
	c.dialogue.Done(smtp.Bdat{})
	replies, err := c.handOver(b)
	if err == nil && b.err == nil {
		_, _ = io.Copy(io.Discard, b) // the Handler has read enough
	}
	if b.err == errAborted {
		c.endTransaction()
		return
	}
	fault := b.fault()
	if broken := c.discard(true, b.chunk.Drain); broken != nil {
		if fault != nil {
			err = fault
		}
		fault = broken
	}
	c.pauseText()
	c.conclude(smtp.VerbBDAT, b.last, replies, c.verdict(err, fault))
	c.leaveUnread(fault)
}

// passOver reads the chunk of a BDAT that is refused, for the client sends it
// without waiting for the reply (RFC 3030, 2).
func (c *Conn) passOver(cmd smtp.Bdat, r *smtp.Reply) {
	c.beginText()
	err := c.discard(true, c.reader.Chunk(cmd.Size).Drain)
	c.pauseText()
	if err != nil && !errors.Is(err, errDiscard) {
		r = c.faulty(err)
	}
	c.refuse(smtp.VerbBDAT, r)
	c.leaveUnread(err)
}

// begin starts to read the chunk that cmd announced.
func (b *chunks) begin(cmd smtp.Bdat) {
	b.chunk, b.last = b.c.reader.Chunk(cmd.Size), cmd.Last
	most := b.c.server.limits.MessageSize
	if most != none && cmd.Size > most-b.size {
		b.err = smtp.ErrTooLarge
		return
	}
	b.size += cmd.Size
}

// fault returns what was wrong with the text, nil for nothing.
func (b *chunks) fault() error {
	if b.err == io.EOF {
		return nil
	}
	return b.err
}

// Read implements [io.Reader].
func (b *chunks) Read(p []byte) (int, error) {
	for b.err == nil {
		n, err := b.chunk.Read(p)
		if err == io.EOF {
			b.next()
			continue
		}
		if err == nil {
			err = b.checked(p[:n])
		}
		if err != nil {
			b.err = err
			break
		}
		return n, nil
	}
	return 0, b.err
}

// WriteTo implements [io.WriterTo].
func (b *chunks) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for b.err == nil {
		n, err := b.chunk.WriteTo(checkedWriter{b, w})
		sum += n
		switch {
		case err == nil:
			b.next()
		case b.err == nil && b.chunk.Err() != nil:
			b.err = b.chunk.Err()
		case b.err == nil:
			return sum, err // of w
		}
	}
	if b.err == io.EOF {
		return sum, nil
	}
	return sum, b.err
}

// checkedWriter checks what goes through it on its way to w.
type checkedWriter struct {
	b *chunks
	w io.Writer
}

func (cw checkedWriter) Write(p []byte) (int, error) {
	if err := cw.b.checked(p); err != nil {
		cw.b.err = err
		return 0, err
	}
	return cw.w.Write(p)
}

// checked holds a piece of text to the rules for lines.
func (b *chunks) checked(p []byte) error {
	if !b.text {
		return nil
	}
	return b.check.Check(p)
}

// next answers the chunk that is at its end and waits for the one after it.
func (b *chunks) next() {
	if b.last {
		b.err = io.EOF
		if b.text && b.check.End() != nil {
			b.err = b.check.End()
		}
		return
	}
	c := b.c
	c.pauseText()
	c.reply(smtp.VerbBDAT, smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "%d octets so far", b.size))
	for {
		cmd := c.next()
		switch cmd := cmd.(type) {
		case nil:
			b.err = errAborted
			return
		case smtp.Bdat:
			c.resumeText()
			b.begin(cmd)
			return
		case smtp.Hello, smtp.Rset, smtp.Quit:
			if c.dialogue.Permit(cmd) == nil {
				c.pending, b.err = cmd, errAborted
				return
			}
		}
		c.carryOut(cmd)
		if c.closing {
			b.err = errAborted
			return
		}
	}
}
