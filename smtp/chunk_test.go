package smtp

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// TestLineCheckAgreesWithTheDefinition holds every short text, in pieces, to what
// a line is.
func TestLineCheckAgreesWithTheDefinition(t *testing.T) {
	const limit = 5
	forEachString(t, 8, func(t *testing.T) func([]byte) {
		return func(s []byte) {
			good := isLines(s)
			short := good && longestPart(s) <= limit
			cutsOf(len(s), 6, 6, func(cuts uint64) {
				if err := checkLines(0, s, cuts); (err == nil) != good {
					t.Errorf("%q cut %b: %v, want lines: %t", s, cuts, err, good)
				}
				if err := checkLines(limit, s, cuts); (err == nil) != short {
					t.Errorf("%q cut %b, at most %d: %v, want lines: %t", s, cuts, limit, err, short)
				}
			})
		}
	})
}

// longestPart is the longest line, with the CRLF that its end will need.
func longestPart(s []byte) int {
	if len(s) > 0 && s[len(s)-1] != '\n' {
		s = append(s[:len(s):len(s)], '\r', '\n')
	}
	return longestLine(s)
}

func checkLines(limit int, s []byte, cuts uint64) error {
	c := LineCheck{Limit: limit}
	for p := (pieces{s, cuts}); len(p.left) > 0; {
		if err := c.Check(p.take(p.next(len(s)))); err != nil {
			return err
		}
	}
	if dotted := bytes.HasPrefix(s, []byte(".")) || bytes.Contains(s, []byte("\r\n.")); c.Dotted() != dotted {
		return fmt.Errorf("dotted: %t", !dotted)
	}
	return c.End()
}

func TestChunkTakesItsOctetsAndNoMore(t *testing.T) {
	const stream = "\r\n.\r\n\x00\xffBDAT"
	for size := range int64(len(stream)) + 1 {
		for _, cuts := range []uint64{0, octetwise} {
			r := NewReader(&pieces{[]byte(stream), cuts}, nil)
			c := r.Chunk(size)
			var got sink
			n, err := c.WriteTo(&got)
			if err != nil || n != size || string(got) != stream[:size] || c.Left() != 0 {
				t.Errorf("chunk of %d: %q, %v", size, got, err)
			}
			rest, _ := io.ReadAll(r.Chunk(int64(len(stream)) - size))
			if string(rest) != stream[size:] {
				t.Errorf("after a chunk of %d came %q", size, rest)
			}
		}
	}
}

func TestChunkThatIsCutOffIsNeverWhole(t *testing.T) {
	for name, read := range map[string]func(*ChunkReader) error{
		"WriteTo": func(c *ChunkReader) error { _, err := c.WriteTo(io.Discard); return err },
		"Read":    func(c *ChunkReader) error { _, err := io.ReadAll(onlyReader{c}); return err },
		"Drain":   (*ChunkReader).Drain,
	} {
		c := NewReader(bytes.NewReader([]byte("1234")), nil).Chunk(5)
		if err := read(c); err != io.ErrUnexpectedEOF || c.Left() != 1 {
			t.Errorf("%s: %v with %d left, want %v with 1", name, err, c.Left(), io.ErrUnexpectedEOF)
		}
	}
}

// onlyReader hides WriteTo.
type onlyReader struct{ io.Reader }

func TestChunkOfLessThanNothingIsEmpty(t *testing.T) {
	c := NewReader(bytes.NewReader([]byte("QUIT\r\n")), nil).Chunk(-5)
	if n, err := c.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v; want 0, EOF", n, err)
	}
}
