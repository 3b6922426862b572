package yardstick

import (
	"bufio"
	"bytes"
	"net"
)

// session talks with one client until it leaves.
func (h *house) session(c net.Conn) {
	defer c.Close()
	s := &session{in: bufio.NewReaderSize(c, 32<<10), out: bufio.NewWriterSize(c, 1<<10)}
	s.say("220 bench.test ESMTP\r\n")
	for s.command(h) {
	}
	_ = s.out.Flush()
}

type session struct {
	in       *bufio.Reader
	out      *bufio.Writer
	from, to []byte
}

// say answers; answers to what was said together leave together.
func (s *session) say(text string) {
	_, _ = s.out.WriteString(text)
	if s.in.Buffered() == 0 {
		_ = s.out.Flush()
	}
}

// command answers one command. It returns false after the last.
func (s *session) command(h *house) bool {
	line, err := s.in.ReadSlice('\n')
	if err != nil || len(line) < 6 {
		return false
	}
	switch string(line[:4]) {
	case "EHLO":
		s.say("250-bench.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n")
	case "MAIL":
		s.from = append(s.from[:0], line...)
		s.say("250 ok\r\n")
	case "RCPT":
		s.to = append(s.to[:0], line...)
		s.say("250 ok\r\n")
	case "DATA":
		s.say("354 go\r\n")
		if !s.message(h) {
			return false
		}
		s.say("250 ok\r\n")
	case "QUIT":
		s.say("221 bye\r\n")
		return false
	default:
		s.say("250 ok\r\n")
	}
	return true
}

// message takes one in and returns when it is on the disk.
func (s *session) message(h *house) bool {
	m := h.log.letters.Get().(*letter)
	m.record = append(append(append(m.record[:0], 0, 0, 0, 0), s.from...), s.to...)
	m.text = len(m.record)
	if !s.text(m) {
		return false
	}
	h.log.add(m)
	if h.outgoing != nil {
		h.outgoing <- m
	} else {
		h.log.letters.Put(m)
	}
	return true
}

var end = []byte("\r\n.\r\n")

// text takes in what comes up to the line of a dot, with it.
func (s *session) text(m *letter) bool {
	for {
		if _, err := s.in.Peek(1); err != nil {
			return false
		}
		chunk, _ := s.in.Peek(s.in.Buffered())
		before := len(m.record)
		m.record = append(m.record, chunk...)
		from := max(before-len(end)+1, m.text-len("\r\n")) // the line before the text ends so, too
		if i := bytes.Index(m.record[from:], end); i >= 0 {
			m.record = m.record[:from+i+len(end)]
			_, _ = s.in.Discard(len(m.record) - before)
			return true
		}
		_, _ = s.in.Discard(len(chunk))
	}
}
