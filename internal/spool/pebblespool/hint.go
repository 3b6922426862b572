package pebblespool

import (
	"bytes"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// hint is a piece of text, in small letters of ASCII, that stands in the record of each
// envelope that a filter chooses. To look for it costs a tenth of reading the envelope.
type hint struct {
	piece []byte
	// foreign: there are letters beyond ASCII whose small ones stand in the piece.
	foreign bool
}

// hintsOf are the hints of a filter: the longest piece of each of its patterns.
func hintsOf(f *spool.Filter) (hints []hint) {
	for _, pattern := range []string{f.From, f.To, f.Login, f.Subject} {
		longest := ""
		for piece := range strings.SplitSeq(strings.ToLower(pattern), "*") {
			if len(piece) > len(longest) && isASCII(piece) && strings.Trim(piece, nullSender) != "" {
				longest = piece
			}
		}
		if longest != "" {
			hints = append(hints, hint{[]byte(longest), strings.ContainsAny(longest, "ik")})
		}
	}
	return hints
}

// nullSender is how patterns name a sender of whom nothing stands in the record.
const nullSender = "<>"

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// hinted reports whether an envelope may be chosen, by the look of its record.
func (l *lister) hinted(record []byte) bool {
	if len(l.hints) == 0 {
		return true
	}
	l.small = appendSmall(l.small[:0], record)
	for i := range l.hints {
		h := &l.hints[i]
		if !bytes.Contains(l.small, h.piece) && !(h.foreign && hasForeign(record)) {
			return false
		}
	}
	return true
}

// appendSmall appends b with small letters in place of the capitals of ASCII.
func appendSmall(to, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// hasForeign reports whether b has one of the two letters beyond ASCII whose small ones are
// of ASCII: İ and the sign of Kelvin.
func hasForeign(b []byte) bool {
	return bytes.Contains(b, []byte("\u0130")) || bytes.Contains(b, []byte("\u212a"))
}

// pass goes on behind a message that the filter does not choose.
func (l *lister) pass(id mail.ID) error {
	if l.sifted++; l.sifted > maxSifted {
		l.page.More = true
		return nil
	}
	l.page.Next = spool.Cursor{ID: id, Recipient: math.MaxInt32}
	return nil
}
