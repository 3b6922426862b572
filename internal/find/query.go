package find

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
)

// Help says which words there are.
const Help = `A search is words, all of which must hold:

  ann@sina.example    an address, of the sender or a recipient, or a Message-ID
  sina.example        a domain, a host, or a word
  invoice             a word of the subject or of a reply
  invo*               what begins so
  from:X  to:X        an address or a domain
  subject:X  reply:X  a word there ("4.7.1", "greylisted")
  host:X              who was delivered to
  client:ADDRESS      who brought it
  login:NAME          who had logged in, or gave an order
  fate:X              delivered, relayed, deferred, failed, expired, discarded, removed, reported
  06j2kz4k9rq0m3c5tz1g    the ID of a message`

// A search holds if all of its clauses do. A clause holds if one of its ways does, and
// a way if the message has all of its terms.
type (
	clause []way
	way    []term
	term   struct {
		text   string
		kinds  string // any of them
		prefix bool   // all that begin so
	}
)

const (
	maxQuery   = 1000 // octets
	maxClauses = 16
)

// fields are the words before a colon, and the kinds of terms that each means.
var fields = map[string]string{
	"from": "Ff", "to": "Tt", "subject": "s", "reply": "r", "host": "h", "client": "c",
	"login": "l", "fate": "x", "id": "i",
}

// anywhere are the kinds of terms that a word without a colon means.
const anywhere = "FTfthsri"

// SyntaxError says what is wrong with a search.
type SyntaxError struct{ what string }

func (e *SyntaxError) Error() string { return e.what }

func wrong(format string, args ...any) error { return &SyntaxError{fmt.Sprintf(format, args...)} }

// parse reads a search. The ID is that of one message which is asked for by it; zero:
// none is.
func parse(s string) (clauses []clause, id mail.ID, err error) {
	if len(s) > maxQuery {
		return nil, id, wrong("a search has at most %d octets", maxQuery)
	}
	for _, word := range strings.Fields(s) {
		if one, err := mail.ParseID(word); err == nil {
			id = one
			continue
		}
		c, err := parseWord(word)
		if err != nil {
			return nil, id, err
		}
		clauses = append(clauses, c)
	}
	if len(clauses) > maxClauses {
		return nil, id, wrong("a search has at most %d words", maxClauses)
	}
	return clauses, id, nil
}

func parseWord(word string) (clause, error) {
	kinds, text := anywhere, word
	if field, value, ok := strings.Cut(word, ":"); ok && !strings.Contains(field, "@") {
		if kinds = fields[strings.ToLower(field)]; kinds == "" {
			return nil, wrong("there is no %q to search by (from, to, subject, reply, host, client, login, fate, id)", field+":")
		}
		text = value
	}
	text = fold(strings.Trim(text, `<>"'`))
	text, prefix := strings.CutSuffix(text, "*")
	if strings.ContainsRune(text, '*') {
		return nil, wrong("%q: a star stands at the end of a word only", word)
	}
	if text == "" {
		return nil, wrong("%q says nothing", word)
	}
	var c clause
	others := strings.Map(func(kind rune) rune {
		if kind == subjectWord || kind == replyWord {
			c = append(c, wordsWay(string(kind), text, prefix)...)
			return -1
		}
		return kind
	}, kinds)
	if c = together(c); others != "" {
		c = append(c, way{{text, others, prefix}})
		c = together(c)
	}
	if len(c) == 0 {
		return nil, wrong("%q has no letter and no digit", word)
	}
	return c, nil
}

// together makes one way of those that ask for the same text alone, as another kind.
func together(c clause) clause {
	var out clause
	for _, w := range c {
		i := slices.IndexFunc(out, func(o way) bool {
			return len(o) == 1 && len(w) == 1 && o[0].text == w[0].text && o[0].prefix == w[0].prefix
		})
		if i < 0 {
			out = append(out, w)
		} else {
			out[i][0].kinds += w[0].kinds
		}
	}
	return out
}

// wordsWay is how a word is found in a text: as it stands there, or in a script without
// spaces by its pairs of characters. No way: it has none.
func wordsWay(kind, text string, prefix bool) []way {
	text = strings.TrimLeftFunc(text, notOfWord)
	if !prefix {
		text = strings.TrimRightFunc(text, notOfWord)
	}
	switch {
	case text == "":
		return nil
	case strings.IndexFunc(text, dense) < 0:
		return []way{{{clip(text), kind, prefix}}}
	}
	var parts way
	last := ""
	cut(text, func(w string) {
		if !endOf(last, w) {
			parts = append(parts, term{clip(w), kind, single(w)})
		}
		last = w
	})
	return []way{parts}
}

// endOf: the word is the second character of the pair before it, with which its run ends. It
// says nothing more, and the text may go on behind it.
func endOf(pair, word string) bool {
	return single(word) && len(pair) > len(word) && strings.HasSuffix(pair, word)
}

// single: it is one character of a script without spaces, and so the start of a pair.
func single(w string) bool {
	r, n := utf8.DecodeRuneInString(w)
	return n == len(w) && dense(r)
}
