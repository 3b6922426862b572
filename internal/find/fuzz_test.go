package find

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzSearch: whatever is searched for is understood or refused in words; its terms are
// never longer than those of the index.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"invoice", "from:ann@sina.example 4.7.1", "春天*", "subject:a-b*", "<x@y>", "fate:", "*", "a:b:c", "\xff\xfe", "ﬁ*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clauses, _, err := parse(s)
		if err != nil {
			return
		}
		for _, c := range clauses {
			if len(c) == 0 {
				t.Fatalf("%q has a clause that nothing can fulfil", s)
			}
			for _, w := range c {
				for _, term := range w {
					if term.text == "" || term.kinds == "" {
						t.Fatalf("%q asks for nothing: %+v", s, term)
					}
				}
				if len(w) == 0 {
					t.Fatalf("%q asks for nothing", s)
				}
			}
		}
	})
}

// FuzzWords: the words of a text are short, bounded in number, and what is searched for
// by one of them is that.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"Invoice 4711", "春天的消息", "a.b-c", strings.Repeat("x", 500), "\xff", "한국어 text"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		words(s, func(w string) {
			if n++; w == "" || len(w) > maxWord || utf8.ValidString(s) && !utf8.ValidString(w) {
				t.Fatalf("word %q of %q", w, s)
			}
		})
		if n > maxWords {
			t.Fatalf("%d words", n)
		}
	})
}

// FuzzChapter: the parts of a file that is not ours are read to their end or refused.
func FuzzChapter(f *testing.F) {
	d := newDraft(0, maxMessages, 0)
	for key, list := range map[string][]number{"invoice\x00s": {0, 5, 9}, "invoices\x00r": {1}, "sina.example\x00t": {4095}} {
		for _, n := range list {
			d.note([]byte(key), n)
		}
	}
	whole := d.print()
	f.Add(whole, "invoice")
	f.Add(whole[:40], "i")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		found, _, err := scan(b, &term{key, anywhere, true}, nil)
		if err == nil {
			for _, n := range found {
				if n >= maxMessages {
					t.Fatalf("message %d", n)
				}
			}
		}
		table, err := readTable(b, 1<<20)
		for i := range table {
			if m := table[i]; err == nil && (m.begin < 0 || m.end > 1<<20 || m.begin > m.end) {
				t.Fatalf("block %+v", m)
			}
		}
	})
}
