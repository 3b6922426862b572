package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// symbols are the octets that matter to transparency, and two that do not.
const symbols = "\r\n.\x00a "

// oneByOne reads the text of DATA as RFC 5321, 4.5.2, tells it: lines end with
// CRLF, a line with only a dot is the end, a dot before anything else on its line
// is dropped, and a CR or LF inside a line is a fault. It is what DotReader has
// to agree with.
func oneByOne(in, text []byte) (out []byte, used int, fault error, ended bool) {
	out = text[:0]
	line := 0 // where the current line begins
	for i := 0; i < len(in); i++ {
		switch {
		case in[i] == '\r' && i+1 == len(in): // its LF may follow
		case in[i] == '\r' && in[i+1] == '\n':
			i++
			if i-line == 2 && in[line] == '.' {
				return out, i + 1, fault, true
			}
			if line < i && in[line] == '.' {
				line++
			}
			out = append(out, in[line:i+1]...)
			line = i + 1
		case in[i] == '\r' && fault == nil:
			fault = ErrBareCR
		case in[i] == '\n' && fault == nil:
			fault = ErrBareLF
		}
	}
	return out, len(in), fault, false
}

// eachString calls yield with every string of up to most symbols that begins
// with first.
func eachString(first byte, most int, yield func(s []byte)) {
	buf := make([]byte, 1, most)
	buf[0] = first
	var grow func(s []byte)
	grow = func(s []byte) {
		yield(s)
		if len(s) == most {
			return
		}
		for i := range len(symbols) {
			grow(append(s, symbols[i]))
		}
	}
	grow(buf)
}

// forEachString runs test in parallel, one subtest for each first symbol. What
// is tried is not concurrent, so the race detector need not see all of it.
func forEachString(t *testing.T, most int, test func(t *testing.T) func(s []byte)) {
	if raceEnabled {
		most = min(most, 5)
	}
	for i := range len(symbols) {
		t.Run(fmt.Sprintf("%q", symbols[i]), func(t *testing.T) {
			t.Parallel()
			one := test(t)
			eachString(symbols[i], most, func(s []byte) {
				if !t.Failed() {
					one(s)
				}
			})
		})
	}
}

// pieces is a connection that delivers its octets cut as a bit mask says: a cut
// behind octet i where bit i is set; a mask of all ones is one octet at a time.
type pieces struct {
	left []byte
	cuts uint64
}

const octetwise = ^uint64(0)

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := p.next(len(b))
	return copy(b, p.take(n)), nil
}

func (p *pieces) next(most int) int {
	n := 1
	for n < len(p.left) && n < most && (n > 64 || p.cuts&(1<<(n-1)) == 0) {
		n++
	}
	return n
}

func (p *pieces) take(n int) []byte {
	b := p.left[:n]
	p.left = p.left[n:]
	if p.cuts != octetwise {
		p.cuts >>= n
	}
	return b
}

// cutsOf lists ways to cut n octets: in one piece and one octet at a time; each
// single cut if there are up to single octets; every way if there are up to every.
func cutsOf(n, single, every int, yield func(cuts uint64)) {
	yield(0)
	yield(octetwise)
	switch {
	case n <= every:
		for cuts := range uint64(1) << (n - 1) {
			yield(cuts)
		}
	case n <= single:
		for i := range n - 1 {
			yield(1 << i)
		}
	}
}

// sink is a writer that keeps its memory.
type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

const afterText = "\r\n.\r\nQ\r" // ends every text, and begins the next command

func TestEveryTextEndsAtItsFinalDotAndNowhereElse(t *testing.T) {
	forEachString(t, 8, func(t *testing.T) func([]byte) {
		var src pieces
		var got sink
		r := NewReader(&src, nil)
		in, want := make([]byte, 0, 32), make([]byte, 0, 32)
		return func(s []byte) {
			in = append(append(in[:0], s...), afterText...)
			text, used, fault, _ := oneByOne(in, want)
			cutsOf(len(in), len(afterText)+6, len(afterText)+3, func(cuts uint64) {
				src = pieces{in, cuts}
				r.Reset(&src)
				got = got[:0]
				d := r.Dot(TextLimits{})
				_, err := d.WriteTo(&got)
				switch verdict := d.Drain(); {
				case err != fault || verdict != fault:
					t.Errorf("%q cut %b: WriteTo says %v, Drain %v; want %v", in, cuts, err, verdict, fault)
				case fault == nil && !bytes.Equal(got, text):
					t.Errorf("%q cut %b: text %q, want %q", in, cuts, got, text)
				case !bytes.HasPrefix(text, got):
					t.Errorf("%q cut %b: %q came before the fault, want the start of %q", in, cuts, got, text)
				case len(src.left)+r.Buffered() != len(in)-used:
					t.Errorf("%q cut %b: %d octets used, want %d", in, cuts, len(in)-len(src.left)-r.Buffered(), used)
				}
			})
		}
	})
}

// TestTextThatIsCutOffIsNeverWhole drops the connection at the end of each
// string: unless its final dot was there, nobody may take it for whole.
func TestTextThatIsCutOffIsNeverWhole(t *testing.T) {
	forEachString(t, 7, func(t *testing.T) func([]byte) {
		var src pieces
		r := NewReader(&src, nil)
		var got sink
		want := make([]byte, 0, 32)
		return func(s []byte) {
			_, _, fault, ended := oneByOne(s, want)
			if !ended {
				fault = io.ErrUnexpectedEOF
			}
			for _, cuts := range []uint64{0, octetwise} {
				src = pieces{s, cuts}
				r.Reset(&src)
				got = got[:0]
				d := r.Dot(TextLimits{})
				if _, err := d.WriteTo(&got); (err == nil) != (fault == nil) {
					t.Errorf("%q: WriteTo says %v, want %v", s, err, fault)
				}
				if err := d.Drain(); err != fault {
					t.Errorf("%q: Drain says %v, want %v", s, err, fault)
				}
			}
		}
	})
}

// TestTextLimitsRefuseAndStillFindTheEnd holds every short text to a line of 4
// octets and a size of 5.
func TestTextLimitsRefuseAndStillFindTheEnd(t *testing.T) {
	limits := TextLimits{Size: 5, Line: 4}
	forEachString(t, 7, func(t *testing.T) func([]byte) {
		var src pieces
		r := NewReader(&src, nil)
		in, want := make([]byte, 0, 32), make([]byte, 0, 32)
		return func(s []byte) {
			in = append(append(in[:0], s...), afterText...)
			text, used, fault, _ := oneByOne(in, want)
			good := fault == nil && len(text) <= 5 && longestLine(text) <= 4
			cutsOf(len(in), len(afterText)+5, len(afterText)+2, func(cuts uint64) {
				src = pieces{in, cuts}
				r.Reset(&src)
				d := r.Dot(limits)
				if err := d.Drain(); (err == nil) != good {
					t.Errorf("%q cut %b: Drain says %v, want a fault: %t", in, cuts, err, !good)
				}
				if rest := len(src.left) + r.Buffered(); rest != len(in)-used {
					t.Errorf("%q cut %b: %d octets used, want %d", in, cuts, len(in)-rest, used)
				}
			})
		}
	})
}

func longestLine(text []byte) int {
	most := 0
	for line := range bytes.Lines(text) {
		most = max(most, len(line))
	}
	return most
}

func TestTextLimitsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		in     string
		limits TextLimits
		want   error
	}{
		{"12345678\r\n.\r\n", TextLimits{Size: 10, Line: 10}, nil},
		{"..345678\r\n.\r\n", TextLimits{Size: 9, Line: 9}, nil}, // the stuffed dot does not count
		{"123456789\r\n.\r\n", TextLimits{Line: 10}, ErrLineTooLong},
		{"123456789\r\n.\r\n", TextLimits{Size: 10}, ErrTooLarge},
		{"1\r\n2\r\n3\r\n.\r\n", TextLimits{Size: 8, Line: 3}, ErrTooLarge},
	} {
		for _, cuts := range []uint64{0, octetwise} {
			d := NewReader(&pieces{[]byte(c.in), cuts}, nil).Dot(c.limits)
			if err := d.Drain(); err != c.want {
				t.Errorf("%q with %+v: %v, want %v", c.in, c.limits, err, c.want)
			}
		}
	}
}

// TestReadInSmallHandfuls reads with buffers of each size from 1 to 5.
func TestReadInSmallHandfuls(t *testing.T) {
	in := "..one\r\ntwo\r\n.three\r\n\r\n....\r\n.\r\nQUIT\r\n"
	want := ".one\r\ntwo\r\nthree\r\n\r\n...\r\n"
	for size := 1; size <= 5; size++ {
		r := NewReader(&pieces{[]byte(in), octetwise}, nil)
		d := r.Dot(TextLimits{})
		var got []byte
		p := make([]byte, size)
		for {
			n, err := d.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != want || d.Size() != int64(len(want)) {
			t.Errorf("by %d: %q (size %d), want %q", size, got, d.Size(), want)
		}
		if line, err := r.Line(100); string(line) != "QUIT" {
			t.Errorf("by %d: then came %q, %v; want QUIT", size, line, err)
		}
	}
}

// TestDrainAfterAHandfulThrowsTheRestAway is a server that gives up midway.
func TestDrainAfterAHandfulThrowsTheRestAway(t *testing.T) {
	r := NewReader(bytes.NewReader([]byte("one\r\ntwo\r\n.\r\nQUIT\r\n")), nil)
	d := r.Dot(TextLimits{})
	if _, err := d.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if err := d.Drain(); err != nil {
		t.Error(err)
	}
	if n, err := d.Read(make([]byte, 2)); n != 0 || err != io.EOF {
		t.Errorf("after Drain: %d, %v; want 0, EOF", n, err)
	}
	if line, _ := r.Line(100); string(line) != "QUIT" {
		t.Errorf("then came %q, want QUIT", line)
	}
}

// isLines reports whether each CR and LF of s is of a CRLF.
func isLines(s []byte) bool {
	for i, c := range s {
		if c == '\r' && (i+1 == len(s) || s[i+1] != '\n') || c == '\n' && (i == 0 || s[i-1] != '\r') {
			return false
		}
	}
	return true
}

func TestEveryTextLeavesAsItIsOrNotAtAll(t *testing.T) {
	forEachString(t, 8, func(t *testing.T) func([]byte) {
		var out sink
		want, text := make([]byte, 0, 32), make([]byte, 0, 32)
		return func(s []byte) {
			good := isLines(s)
			want = append(want[:0], s...)
			if !bytes.HasSuffix(s, []byte("\n")) {
				want = append(want, '\r', '\n')
			}
			cutsOf(len(s), 6, 5, func(cuts uint64) {
				out = out[:0]
				err := dotWrite(&out, s, cuts)
				got, used, fault, ended := oneByOne(out, text)
				switch {
				case !good && (err == nil || ended):
					t.Errorf("%q cut %b: wrote %q, error %v; want a refusal and no end", s, cuts, out, err)
				case !good:
				case err != nil || fault != nil || !ended || used != len(out) || !bytes.Equal(got, want):
					t.Errorf("%q cut %b: wrote %q, error %v; is read as %q", s, cuts, out, err, got)
				}
			})
		}
	})
}

func dotWrite(w io.Writer, s []byte, cuts uint64) error {
	d := NewDotWriter(w)
	for p := (pieces{s, cuts}); len(p.left) > 0; {
		if _, err := d.Write(p.take(p.next(len(s)))); err != nil {
			if again := d.Close(); again != err {
				return fmt.Errorf("Close says %v after %w", again, err)
			}
			return err
		}
	}
	return d.Close()
}

func TestDotWriterOfNothingIsAnEmptyText(t *testing.T) {
	var out sink
	d := NewDotWriter(&out)
	if err := d.Close(); err != nil || string(out) != ".\r\n" {
		t.Errorf("wrote %q, %v", out, err)
	}
	if _, err := d.Write([]byte("more")); err == nil || string(out) != ".\r\n" {
		t.Errorf("after Close wrote %q, %v", out, err)
	}
}

// TestDotWriterPassesOnTheErrorBelow breaks the connection at each write.
func TestDotWriterPassesOnTheErrorBelow(t *testing.T) {
	broken := errors.New("broken")
	for n := range 4 {
		d := NewDotWriter(&breaksAfter{n, broken})
		_, err := d.Write([]byte("a\r\n.b\r\n"))
		if end := d.Close(); !errors.Is(end, broken) || err != nil && err != broken {
			t.Errorf("broken after %d writes: Write says %v, Close %v", n, err, end)
		}
	}
}

type breaksAfter struct {
	n   int
	err error
}

func (b *breaksAfter) Write(p []byte) (int, error) {
	if b.n--; b.n < 0 {
		return 0, b.err
	}
	return len(p), nil
}
