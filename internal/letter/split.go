package letter

import (
	"bytes"
	"strconv"
)

// splitter finds the parts of a message (RFC 2046). What is inside a multipart is cut
// out at its boundaries before it is looked into, so that an inner part never reaches
// beyond an outer one, and each octet is looked at once a level.
type splitter struct {
	letter *Letter
	depth  int
	full   bool // no more parts
}

// entity reads what has a header and a body: a message, or a part of one.
func (s *splitter) entity(parent *Part, text []byte, path string) *Part {
	p := &Part{Path: path, letter: s.letter, parent: parent, raw: text}
	s.letter.parts = append(s.letter.parts, p)
	p.head()
	switch {
	case p.multipart():
		s.within(p, func() { s.children(p) })
	case p.Type == "message/rfc822" || p.Type == "message/global":
		s.within(p, func() { s.enclosed(p) })
	}
	return p
}

// within does what is to be done with what is inside a part, unless that is too deep.
func (s *splitter) within(p *Part, do func()) {
	if s.depth == MaxDepth {
		s.letter.fault(p.Path, "parts are more than %d deep in each other; what is deeper is only in the source", MaxDepth)
		return
	}
	s.depth++
	do()
	s.depth--
}

// enclosed reads a message in a message, if it is there in clear.
func (s *splitter) enclosed(p *Part) {
	if !p.identity() {
		return
	}
	if s.more(p) {
		p.Parts = []*Part{s.entity(p, p.body, below(p.Path, 1))}
	}
}

// children reads the parts of a multipart.
func (s *splitter) children(p *Part) {
	boundary := p.params["boundary"]
	if boundary == "" {
		s.letter.fault(p.Path, "it is %s, but says no boundary between its parts", p.Type)
		return
	}
	if !p.identity() {
		s.letter.fault(p.Path, "a multipart must not be in %s (RFC 2045, 6.4)", clip(p.Encoding, 30))
	}
	rest, found := p.body, false
	for {
		part, next, last, ok := cutPart(rest, boundary)
		if !ok {
			s.open(p, rest, found)
			return
		}
		if found {
			s.child(p, part)
		}
		if last || s.full {
			return
		}
		rest, found = next, true
	}
}

// open is a multipart that nothing closes.
func (s *splitter) open(p *Part, rest []byte, found bool) {
	if !found {
		s.letter.fault(p.Path, "its boundary does not occur in it")
		return
	}
	s.letter.fault(p.Path, "its last part is not closed: the message may be cut")
	s.child(p, rest)
}

func (s *splitter) child(p *Part, text []byte) {
	if s.more(p) {
		p.Parts = append(p.Parts, s.entity(p, text, below(p.Path, len(p.Parts)+1)))
	}
}

// more reports whether there may be one more part.
func (s *splitter) more(p *Part) bool {
	if len(s.letter.parts) < MaxParts {
		return true
	}
	if !s.full {
		s.full = true
		s.letter.fault(p.Path, "the message has more than %d parts; the rest is only in the source", MaxParts)
	}
	return false
}

func below(path string, n int) string {
	if path == "" {
		return strconv.Itoa(n)
	}
	return path + "." + strconv.Itoa(n)
}

// cutPart cuts text at the next line that is the boundary; the line end before it
// belongs to the boundary (RFC 2046, 5.1.1).
func cutPart(text []byte, boundary string) (part, rest []byte, last, ok bool) {
	mark := []byte("--" + boundary)
	for from := 0; ; {
		i := bytes.Index(text[from:], mark)
		if i < 0 {
			return nil, nil, false, false
		}
		at := from + i
		from = at + len(mark)
		if at > 0 && text[at-1] != '\n' {
			continue
		}
		line, next := cutLine(text[from:])
		if tail := bytes.TrimRight(line, " \t"); len(tail) == 0 || string(tail) == "--" {
			return trimLineEnd(text[:at]), next, len(tail) > 0, true
		}
	}
}

// cutLine cuts at the first line end, which is in neither part.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

func trimLineEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}
