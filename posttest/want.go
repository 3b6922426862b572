package posttest

import (
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// Want is something that a message must fit. Case does not matter, and a part is enough.
type Want struct {
	words string
	query inbox.Query
}

// To wants a word among the recipients, of the envelope or the header.
func To(word string) Want { return Want{fmt.Sprintf("to %q", word), inbox.To(word)} }

// From wants a word in the sender, of the envelope or the header.
func From(word string) Want { return Want{fmt.Sprintf("from %q", word), inbox.From(word)} }

// Subject wants a word in the subject.
func Subject(word string) Want {
	return Want{fmt.Sprintf("with the subject %q", word), inbox.Subject(word)}
}

func query(want []Want) (q inbox.Query) {
	for _, w := range want {
		q = q.And(w.query)
	}
	return q
}

func words(want []Want) string {
	var all []string
	for _, w := range want {
		all = append(all, w.words)
	}
	return strings.Join(all, " ")
}

// told says what has come, a line for each message.
func (s *Server) told() string {
	p := s.store.List("", inbox.Query{}, mail.ID{}, 20)
	if p.Found == 0 {
		return "none has come at all"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d have come:", p.Found)
	for _, m := range p.Messages {
		fmt.Fprintf(&b, "\n  from %s to %s: %q", m.From, strings.Join(m.To, ", "), m.Subject)
	}
	return b.String()
}
