package milter

import (
	"bytes"
	"io"
	"os"
)

// sheet is a body that a program has written: in memory while it is small, and else in a
// file without a name. It is a mail.Content. Lines end with CRLF, whatever was written.
type sheet struct {
	memory []byte
	file   *os.File
	size   int64
	last   byte // octet that was written
}

// maxMemory is up to how many octets it is in memory.
const maxMemory = 64 << 10

// Write takes a piece.
func (s *sheet) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		line := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line = p[:i+1]
		}
		p = p[len(line):]
		if err := s.line(line); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// line takes a line or a part of one.
func (s *sheet) line(l []byte) error {
	before := s.last
	if len(l) > 1 {
		before = l[len(l)-2]
	}
	s.last = l[len(l)-1]
	if s.last == '\n' && before != '\r' {
		return s.put(append(l[:len(l)-1:len(l)-1], "\r\n"...))
	}
	return s.put(l)
}

func (s *sheet) put(p []byte) error {
	s.size += int64(len(p))
	if s.memory = append(s.memory, p...); len(s.memory) <= maxMemory {
		return nil
	}
	return s.spill()
}

// spill moves what is in memory into the file.
func (s *sheet) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "posthouse-body-*")
		if err != nil {
			return err
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil { // it lives as long as it is open
			return err
		}
	}
	_, err := s.file.Write(s.memory)
	s.memory = s.memory[:0]
	return err
}

// end ends the last line, and everything is readable.
func (s *sheet) end() error {
	if s.size > 0 && s.last != '\n' {
		if err := s.put([]byte("\r\n")); err != nil {
			return err
		}
	}
	if s.file == nil {
		return nil
	}
	return s.spill()
}

// Open implements mail.Content.
func (s *sheet) Open() (io.ReadCloser, error) {
	if s.file == nil {
		return io.NopCloser(bytes.NewReader(s.memory)), nil
	}
	return io.NopCloser(io.NewSectionReader(s.file, 0, s.size)), nil
}

// Size implements mail.Content.
func (s *sheet) Size() int64 { return s.size }

func (s *sheet) close() {
	if s.file != nil {
		_ = s.file.Close() // nobody reads it any more
	}
}
