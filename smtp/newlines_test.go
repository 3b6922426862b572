package smtp

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// TestNewLinesMakeEveryTextFitToSend normalises every short text, cut in every
// way, and gives it to a DotWriter.
func TestNewLinesMakeEveryTextFitToSend(t *testing.T) {
	forEachString(t, 6, func(t *testing.T) func([]byte) {
		var got, out sink
		n := &newLines{}
		return func(s []byte) {
			want := normalised(s)
			cutsOf(len(s), 6, 5, func(cuts uint64) {
				n.r, n.out, n.cr, n.err = &pieces{s, cuts}, nil, false, nil
				got, out = got[:0], out[:0]
				if _, err := io.CopyBuffer(&got, n, make([]byte, 16)); err != nil || string(got) != want {
					t.Errorf("%q cut %b: %q, %v; want %q", s, cuts, got, err, want)
				}
				if err := dotWrite(&out, got, 0); err != nil {
					t.Errorf("%q cut %b: %q is refused: %v", s, cuts, got, err)
				}
			})
		}
	})
}

// normalised writes CRLF for CRLF, for a CR alone and for an LF alone.
func normalised(s []byte) string {
	s = bytes.ReplaceAll(s, []byte("\r\n"), []byte("\n"))
	s = bytes.ReplaceAll(s, []byte("\r"), []byte("\n"))
	return string(bytes.ReplaceAll(s, []byte("\n"), []byte("\r\n")))
}

func TestNewLinesOverManyBuffers(t *testing.T) {
	in := bytes.Repeat([]byte("\n\n\r\r\n\nline\r"), 5000)
	got, err := io.ReadAll(NewLines(iotest.DataErrReader(bytes.NewReader(in))))
	if err != nil || string(got) != normalised(in) {
		t.Errorf("%d octets in, %d out, want %d: %v", len(in), len(got), len(normalised(in)), err)
	}
}

func TestNewLinesGiveUpOnAReaderThatBringsNothing(t *testing.T) {
	n := NewLines(readerFunc(func([]byte) (int, error) { return 0, nil }))
	if _, err := n.Read(make([]byte, 10)); err != io.ErrNoProgress {
		t.Errorf("%v, want %v", err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
