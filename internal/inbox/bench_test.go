package inbox_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// full is a store with 10,000 messages of some 4 KB.
func full(b *testing.B) *inbox.Store {
	s := open(b, inbox.Options{})
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and nobody minds. ", 60)
	for i := range 10_000 {
		put(b, s, fmt.Sprint("box", i%20), fmt.Sprint("message ", i), text)
	}
	return s
}

func BenchmarkFirstPage(b *testing.B) {
	s := full(b)
	for b.Loop() {
		if p := s.List("", inbox.Query{}, mail.ID{}, 50); len(p.Messages) != 50 {
			b.Fatal(p)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	s := full(b)
	for _, query := range []string{"zebra", "minds message", "from:bob -subject:7 nobody"} {
		q, err := inbox.ParseQuery(query)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				s.List("", q, mail.ID{}, 50)
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, inbox.Options{Dir: b.TempDir()})
	for b.Loop() {
		put(b, s, "", "hello", "some words")
	}
}
