package smtpclient

import (
	"bytes"
	"io"

	"github.com/posthouse/posthouse/smtp"
)

// sendChunks sends the text with BDAT (RFC 3030, 2), which carries any octets.
func (t *transaction) sendChunks() {
	if !t.envelope(nil) {
		return
	}
	if t.text.whole != nil {
		t.c.listen()
		if !t.sayChunk(t.text.whole, true) {
			t.hearLastWords()
			return
		}
		t.hearFinal(smtp.VerbBDAT)
		return
	}
	r, err := t.text.open()
	if err != nil {
		t.refuseAll(smtp.VerbBDAT, textFault(err))
		return
	}
	defer r.Close()
	t.streamChunks(r)
}

// chunkSize is how much a chunk holds. The server can refuse the text after each.
const chunkSize = 256 << 10

// streamChunks sends a text as it is read. Each chunk but the last is written
// while the reply to the one before is on its way, if the server offers
// PIPELINING. The last waits: nothing is committed behind a refused chunk.
//
// If the text cannot be read to its end, there is no LAST chunk, and what was
// sent is given up by the RSET before the next message.
func (t *transaction) streamChunks(r io.Reader) {
	block := t.c.memory(chunkSize)
	together := t.c.ext.Has(smtp.ExtPipelining)
	waiting := false // a reply to a chunk is owed
	for last := false; !last; {
		n, err := fill(r, block)
		last = err == io.EOF
		if err != nil && !last {
			t.giveUp(err, waiting)
			return
		}
		if waiting && (last || !together) {
			if waiting = false; !t.hearChunk() {
				return
			}
		}
		if !waiting {
			t.c.listen()
		}
		if !t.sayChunk(block[:n], last) {
			t.hearLastWords()
			return
		}
		if waiting && !t.hearChunk() {
			_, _ = t.c.hear(smtp.VerbBDAT) // of the chunk that came behind it
			return
		}
		waiting = true
	}
	t.hearFinal(smtp.VerbBDAT)
}

// giveUp refuses a text that cannot be read any more.
func (t *transaction) giveUp(err error, waiting bool) {
	t.refuseAll(smtp.VerbBDAT, textFault(err))
	if waiting {
		t.hearChunk()
	}
}

// hearChunk hears the reply to a chunk that is not the last. It returns false
// if the transaction is over.
func (t *transaction) hearChunk() bool {
	r, err := t.c.hear(smtp.VerbBDAT)
	switch {
	case err != nil:
		return false
	case !r.Code.Positive():
		t.decideAll(smtp.VerbBDAT, r)
		return false
	case isIntermediate(r):
		_ = t.c.fail(smtp.VerbBDAT, unexpected(smtp.VerbBDAT, r))
		return false
	}
	return true
}

// hearLastWords hears what the server said before it closed the connection, while
// a chunk was being written.
func (t *transaction) hearLastWords() {
	for t.hearChunk() {
	}
	_ = t.c.fail(smtp.VerbBDAT, t.c.late)
}

// sayChunk writes one chunk, and returns false if the connection did not take
// all of it.
func (t *transaction) sayChunk(p []byte, last bool) bool {
	if err := t.c.say(smtp.Bdat{Size: int64(len(p)), Last: last}); err != nil {
		_ = t.c.fail(smtp.VerbBDAT, err)
		return false
	}
	out := wire{t.c}
	_, err := out.Write(p)
	if err == nil {
		err = out.flush()
	}
	t.committed = err == nil && last
	return err == nil
}

// sendSingleFlight sends MAIL, RCPT and the text in one go. It is safe: if no
// recipient was accepted, the server reads the chunk and refuses it.
func (t *transaction) sendSingleFlight() {
	if body := t.text.whole; len(body) > 0 && !bytes.HasSuffix(body, []byte("\r\n")) {
		t.text.whole = append(bytes.Clone(body), "\r\n"...) // as with DATA
	}
	wanted := t.envelope(smtp.Bdat{Size: int64(len(t.text.whole)), Last: true})
	switch {
	case !t.flown || t.c.dead != nil:
	case wanted:
		t.hearFinal(smtp.VerbBDAT)
	default:
		_, _ = t.c.hear(smtp.VerbBDAT) // nobody is there to receive it
		t.c.open = true
	}
}
