package message

import (
	"bytes"
	"encoding/binary"
)

// lineSplitter cuts what is written to it into lines and calls give with each, its
// line end included. A line of more than maxPiece bytes comes in pieces, and start
// is set for the first; a CR and its LF are never parted.
type lineSplitter struct {
	give   func(piece []byte, start bool) error
	held   []byte // the beginning of a piece
	inside bool   // pieces of this line were given already
}

const maxPiece = 2048

func (s *lineSplitter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			return len(p), s.hold(rest)
		}
		line := rest[:n]
		rest = rest[n:]
		if err := s.end(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// end gives a line up to its end, with what was held of it.
func (s *lineSplitter) end(line []byte) error {
	if len(s.held) > 0 && len(s.held)+len(line) > 2*maxPiece {
		if err := s.piece(s.held); err != nil {
			return err
		}
	} else if len(s.held) > 0 {
		s.held = append(s.held, line...)
		line = s.held
	}
	err := s.piece(line)
	s.held, s.inside = s.held[:0], false
	return err
}

// hold keeps p, which has no line end, until it is known how it goes on.
func (s *lineSplitter) hold(p []byte) error {
	if len(s.held)+len(p) < maxPiece {
		s.held = append(s.held, p...)
		return nil
	}
	if len(s.held) > 0 {
		if err := s.piece(s.held); err != nil {
			return err
		}
	}
	n := len(p)
	if p[n-1] == '\r' {
		n--
	}
	s.held = append(s.held[:0], p[n:]...)
	return s.piece(p[:n])
}

func (s *lineSplitter) piece(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	start := !s.inside
	s.inside = true
	return s.give(p, start)
}

// Close gives a last line that has no end.
func (s *lineSplitter) Close() error {
	if len(s.held) == 0 {
		return nil
	}
	return s.piece(s.held)
}

// cutEnd parts a line from its line end, which is CRLF, LF or nothing.
func cutEnd(line []byte) (content, end []byte) {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
		if n > 0 && line[n-1] == '\r' {
			n--
		}
	}
	return line[:n], line[n:]
}

// has8Bit reports whether a byte of b is past ASCII, eight bytes at a time.
func has8Bit(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 32 {
		w := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) |
			binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		if w&high != 0 {
			return true
		}
		b = b[32:]
	}
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
