package smtp

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// splitLines cuts a whole stream into what Line has to say of it, one result a
// line, up to and with the end.
func splitLines(in string, most int) []string {
	var said []string
	for in != "" {
		text, rest, found := strings.Cut(in, "\n")
		switch n := len(text) + 1; {
		case n > most:
			said = append(said, ErrLineTooLong.Error())
		case !found:
			return append(said, io.ErrUnexpectedEOF.Error())
		case !strings.HasSuffix(text, "\r"):
			said = append(said, ErrBareLF.Error())
		case strings.Contains(text[:n-2], "\r"):
			said = append(said, ErrBareCR.Error())
		default:
			said = append(said, "line "+text[:n-2])
		}
		if found && strings.HasSuffix(text, "\r") {
			in = rest
		} else if _, in, found = strings.Cut(in, "\r\n"); !found {
			return append(said, io.ErrUnexpectedEOF.Error())
		}
	}
	return append(said, io.EOF.Error())
}

func linesOf(r *Reader, most int) []string {
	var said []string
	for {
		line, err := r.Line(most)
		if err == nil {
			said = append(said, "line "+string(line))
			continue
		}
		said = append(said, err.Error())
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return said
		}
	}
}

func TestLinesAreTheSameHoweverTheyArrive(t *testing.T) {
	forEachString(t, 6, func(t *testing.T) func([]byte) {
		return func(s []byte) {
			for _, most := range []int{3, 100} {
				want := splitLines(string(s), most)
				for _, cuts := range []uint64{0, octetwise} {
					if got := linesOf(NewReader(&pieces{s, cuts}, nil), most); !slices.Equal(got, want) {
						t.Errorf("%q cut %b, at most %d: %q, want %q", s, cuts, most, got, want)
					}
				}
			}
		}
	})
}

// TestPipelinedBurstsAreSplitAlike sends bursts far longer than the buffer that
// an idle reader has, in pieces of random sizes.
func TestPipelinedBurstsAreSplitAlike(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"\r\n", "\r", "\n", "NOOP\r\n", strings.Repeat("x", 255), strings.Repeat("y", 254) + "\r\n"}),
		rapid.Map(rapid.IntRange(0, 700), func(n int) string { return strings.Repeat("z", n) + "\r\n" }),
	)
	checkMany(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "in"), "")
		most := rapid.SampledFrom([]int{2, 255, 256, 257, 512, 100000}).Draw(t, "most")
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(250, 260), rapid.IntRange(1, 5000)), 1, 8).Draw(t, "sizes")
		want := splitLines(in, min(most, bufferSize))
		if got := linesOf(NewReader(&inSizes{[]byte(in), sizes, 0}, nil), most); !slices.Equal(got, want) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	})
}

// inSizes delivers pieces of the given sizes, over and over.
type inSizes struct {
	left  []byte
	sizes []int
	at    int
}

func (s *inSizes) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := min(s.sizes[s.at%len(s.sizes)], len(s.left), len(p))
	s.at++
	copy(p, s.left[:n])
	s.left = s.left[n:]
	return n, nil
}

// TestIdleReaderHoldsNoBuffer follows a session through commands, a burst, a
// text and a chunk, and looks each time that the reader waits for a command.
func TestIdleReaderHoldsNoBuffer(t *testing.T) {
	if size := unsafe.Sizeof(Reader{}); size > 512 {
		t.Errorf("a Reader has %d octets, 512 are allowed", size)
	}
	waits := []string{
		"EHLO a.example\r\n",
		"MAIL FROM:<a@b.example>\r\nRCPT", // half a line waits too
		" TO:<c@d.example>\r\nDATA\r\n",
		strings.Repeat("line\r\n", 5000) + ".\r\nRSET\r\nBDAT 5\r\n12345",
		strings.Repeat("NOOP\r\n", 1000) + "QUIT\r\n",
	}
	var r *Reader
	inText := false
	r = NewReader(readerFunc(func(p []byte) (int, error) {
		if r.lent != nil && r.Buffered() == 0 && !inText {
			t.Errorf("waits for a command with a large buffer, before %.20q", waits)
		}
		if r.lent != nil && string(r.unread()) == "RCPT" {
			t.Errorf("waits for the rest of a short command with a large buffer")
		}
		if len(waits) == 0 {
			return 0, io.EOF
		}
		n := copy(p, waits[0])
		if waits[0] = waits[0][n:]; waits[0] == "" {
			waits = waits[1:]
		}
		return n, nil
	}), nil)
	lines := 0
	for {
		line, err := r.Line(512)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines++
		switch {
		case string(line) == "DATA":
			inText = true
			err = r.Dot(TextLimits{}).Drain()
			inText = false
		case bytes.HasPrefix(line, []byte("BDAT")):
			err = r.Chunk(5).Drain()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := 4 + 2 + 1000 + 1; lines != want {
		t.Errorf("%d lines, want %d", lines, want)
	}
}

func TestReaderForgetsWhatCameBeforeTLS(t *testing.T) {
	r := NewReader(strings.NewReader("STARTTLS\r\nRSET\r\n"), nil)
	if line, _ := r.Line(512); string(line) != "STARTTLS" || r.Buffered() != len("RSET\r\n") {
		t.Fatalf("%q, then %d octets read ahead", line, r.Buffered())
	}
	r.Reset(strings.NewReader("NOOP\r\n"))
	if line, err := r.Line(512); string(line) != "NOOP" {
		t.Errorf("%q, %v; want NOOP", line, err)
	}
}

func TestEndlessLineIsAFlood(t *testing.T) {
	read := 0
	r := NewReader(readerFunc(func(p []byte) (int, error) {
		read += len(p)
		return copy(p, bytes.Repeat([]byte{'x'}, len(p))), nil
	}), nil)
	if _, err := r.Line(512); err != ErrLineTooLong {
		t.Fatal(err)
	}
	if _, err := r.Line(512); err != ErrFlood || read > maxSkip+2*bufferSize {
		t.Errorf("%v after %d octets", err, read)
	}
}

func TestConnectionThatBringsNothingIsNoProgress(t *testing.T) {
	r := NewReader(readerFunc(func([]byte) (int, error) { return 0, nil }), nil)
	if _, err := r.Line(512); err != io.ErrNoProgress {
		t.Error(err)
	}
}

// TestReadersShareTheirBuffers lends the same memory to one reader after another.
func TestReadersShareTheirBuffers(t *testing.T) {
	var buffers Buffers
	for i := range 10 {
		text := fmt.Sprintf("text %d\r\n", i)
		r := NewReader(strings.NewReader(text+".\r\n"), &buffers)
		got, err := io.ReadAll(r.Dot(TextLimits{}))
		if err != nil || string(got) != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
		r.Release()
		if r.Buffered() != 0 || r.lent != nil {
			t.Error("Release kept the buffer")
		}
	}
}
