package yardstick

import (
	"bufio"
	"fmt"
	"net"
)

// carry hands letters to the sink over one connection that stays open, until
// something is not as it should be.
func (h *house) carry(sink string) error {
	c, err := net.Dial("tcp", sink)
	if err != nil {
		return err
	}
	defer c.Close()
	l := &link{in: bufio.NewReader(c), conn: c}
	if err := l.converse([]byte("EHLO bench.test\r\n"), "22"); err != nil { // the first is the greeting's
		return err
	}
	for m := range h.outgoing {
		if err := l.send(m); err != nil {
			return err
		}
		h.log.waiting <- &letter{record: done}
		h.log.letters.Put(m)
	}
	return nil
}

type link struct {
	in   *bufio.Reader
	conn net.Conn
	said []byte
}

// send gives a letter to the next host: MAIL, RCPT and DATA together, then the text.
func (l *link) send(m *letter) error {
	l.said = append(append(l.said[:0], m.record[lengthOctets:m.text]...), "DATA\r\n"...)
	if err := l.converse(l.said, "223"); err != nil {
		return err
	}
	return l.converse(m.record[m.text:], "2")
}

// converse says something and hears replies, which begin with the digits wanted.
func (l *link) converse(words []byte, wanted string) error {
	if _, err := l.conn.Write(words); err != nil {
		return err
	}
	for i := range len(wanted) {
		for last := false; !last; {
			line, err := l.in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) < 4 || line[0] != wanted[i] {
				return fmt.Errorf("the next host says %q", line)
			}
			last = line[3] != '-'
		}
	}
	return nil
}
