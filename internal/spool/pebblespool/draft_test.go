package pebblespool_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// TestLargeDraftsHoldLittle: sessions that bring large bodies side by side each hold what
// one write to a file takes, and not what a body may be before it goes to one.
func TestLargeDraftsHoldLittle(t *testing.T) {
	s, err := pebblespool.Open(t.TempDir(), pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bodies := [][]byte{bytes.Repeat([]byte("one "), 1<<16), bytes.Repeat([]byte("another "), 1<<15), bytes.Repeat([]byte("and a third "), 1<<15)}
	drafts := []spool.Draft{begun(t, s), begun(t, s), begun(t, s)}
	const piece = 5000
	for at := 0; at < len(bodies[2]); at += piece { // turn by turn
		for i, body := range bodies {
			if at < len(body) {
				write(t, drafts[i], body[at:min(at+piece, len(body))])
			}
		}
	}
	for i, d := range drafts {
		if held := pebblespool.Held(d); held > 32<<10 {
			t.Errorf("a draft of %d octets holds %d of memory", d.Size(), held)
		}
		if got := whole(t, opened(t, d)); !bytes.Equal(got, bodies[i]) {
			t.Errorf("draft %d reads back as %d octets, of %d", i, len(got), len(bodies[i]))
		}
		d.Abort()
	}
}

// TestReaderOutlivesSpill: what was read back of a draft in memory stays what it was, while
// the draft goes to a file and its memory would serve another.
func TestReaderOutlivesSpill(t *testing.T) {
	s, err := pebblespool.Open(t.TempDir(), pebblespool.Options{MinFree: -1, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := bytes.Repeat([]byte("early "), 20_000)
	first, second := begun(t, s), begun(t, s)
	write(t, first, start)
	r := opened(t, first)
	write(t, first, start) // more than stays in memory
	write(t, second, bytes.Repeat([]byte("other "), 20_000))
	if got := whole(t, r); !bytes.Equal(got, start) {
		t.Error("the reader has what was written after it was made")
	}
	if got := whole(t, opened(t, first)); !bytes.Equal(got, append(start, start...)) {
		t.Error("the draft is not what was written")
	}
	first.Abort()
	second.Abort()
}

// begun is a draft, of nobody knows how much.
func begun(t *testing.T, s *pebblespool.Spool) spool.Draft {
	d, err := s.Begin(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, d spool.Draft, p []byte) {
	if _, err := d.Write(p); err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, d spool.Draft) io.ReadCloser {
	r, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func whole(t *testing.T, r io.ReadCloser) []byte {
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
