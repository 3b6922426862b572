package senderauth

import "strings"

const maxLine = 76

// AppendTagField appends a header field that holds a tag list, folded to short
// lines, with its final CRLF. Values are folded behind colons and, in b= and
// bh=, anywhere: there white space means nothing (RFC 6376, 3.2).
func AppendTagField(dst []byte, name string, tags TagList) []byte {
	f := folder{dst: dst, start: len(dst)}
	f.write(name + ":")
	for i, t := range tags {
		text := t.Name + "=" + t.Value
		if i < len(tags)-1 {
			text += ";"
		}
		f.tag(t.Name, text)
	}
	return append(f.dst, '\r', '\n')
}

// folder writes pieces and breaks lines between them.
type folder struct {
	dst   []byte
	start int // of the line
}

func (f *folder) write(s string) { f.dst = append(f.dst, s...) }

func (f *folder) fold() {
	f.write("\r\n")
	f.start = len(f.dst)
	f.write("\t")
}

func (f *folder) room() int { return maxLine - (len(f.dst) - f.start) }

// tag writes a tag behind a space, or on a line of its own if it does not fit.
// For b= there is always one: what stands before it is signed when its value
// is not known yet.
func (f *folder) tag(name, text string) {
	if len(text) < f.room() && name != "b" {
		f.write(" " + text)
		return
	}
	f.fold()
	switch name {
	case "h":
		for piece := range strings.SplitAfterSeq(text, ":") {
			f.piece(piece)
		}
	case "b", "bh":
		f.anywhere(text)
	default:
		f.write(text)
	}
}

func (f *folder) piece(s string) {
	if len(s) > f.room() {
		f.fold()
	}
	f.write(s)
}

func (f *folder) anywhere(s string) {
	for len(s) > f.room() {
		n := f.room()
		f.write(s[:n])
		f.fold()
		s = s[n:]
	}
	f.write(s)
}
