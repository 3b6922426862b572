package inbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Query says which messages are looked for. The zero value is all of them.
type Query struct{ terms []term }

// term is one word of a query.
type term struct {
	not  bool
	fits func(e *entry) bool
}

// Bounds of a query.
const (
	maxQuery = 1000 // octets
	maxTerms = 30
)

// ParseQuery reads a query. All of its words must fit, in any order and any case:
//
//	word "two words"    in the sender, the recipients, the subject or the text
//	from: to: subject:  only there; envelope and header both count
//	cc: addressed:      among those of Cc; in the sender or the recipients
//	message-id:         of the header, without its brackets
//	has:attachment      is:read  is:unread
//	larger: smaller:    octets, 10k or 2m
//	before: after:      2026-11-23, 2026-11-23T10:30 (UTC, or with an offset), or so long ago: 2h, 3d
//	login: listener:    how it came
//	tag:                that it has
//	-word               the opposite
//
// The error is a sentence for people.
func ParseQuery(s string) (Query, error) { return ParseQueryAt(s, time.Now().UTC()) }

// ParseQueryAt is [ParseQuery] at another time, in whose location dates are.
func ParseQueryAt(s string, now time.Time) (Query, error) {
	var q Query
	if len(s) > maxQuery {
		return q, fmt.Errorf("a search has %d characters at most", maxQuery)
	}
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if s == "" {
			return q, nil
		}
		if len(q.terms) == maxTerms {
			return q, fmt.Errorf("a search has %d words at most", maxTerms)
		}
		t, rest, err := parseTerm(s, now)
		if err != nil {
			return Query{}, err
		}
		q.terms, s = append(q.terms, t), rest
	}
}

func parseTerm(s string, now time.Time) (t term, rest string, err error) {
	if len(s) > 1 && s[0] == '-' && s[1] != ' ' {
		t.not, s = true, s[1:]
	}
	key, value, rest, err := cutTerm(s)
	if err == nil {
		t.fits, err = meaning(key, value, now)
	}
	return t, rest, err
}

// keys are the words that may stand before a colon.
var keys = []string{
	"from", "to", "cc", "addressed", "subject", "message-id", "has", "is", "larger", "smaller", "before", "after", "login", "listener", "tag",
}

// cutTerm reads `key:value`, `key:"some value"`, `word` or `"some words"`. What has a
// colon, and is no key before it, is a word.
func cutTerm(s string) (key, value, rest string, err error) {
	for _, k := range keys {
		if len(s) > len(k) && s[len(k)] == ':' && strings.EqualFold(s[:len(k)], k) {
			key, s = k, s[len(k)+1:]
			break
		}
	}
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		value, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", "", fmt.Errorf(`a quote (") is open at the end of the search`)
		}
	} else {
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			end = len(s)
		}
		value, rest = s[:end], s[end:]
	}
	if value == "" && key != "" {
		return "", "", "", fmt.Errorf("%s: wants a value behind its colon", key)
	}
	return key, value, rest, nil
}

// meaning is what a word looks for.
func meaning(key, value string, now time.Time) (func(*entry) bool, error) {
	word := fold(value)
	switch key {
	case "from":
		return func(e *entry) bool { return strings.Contains(e.from, word) }, nil
	case "to":
		return func(e *entry) bool { return strings.Contains(e.to, word) }, nil
	case "subject":
		return func(e *entry) bool { return strings.Contains(e.subject, word) }, nil
	case "cc":
		return func(e *entry) bool { return strings.Contains(fold(strings.Join(e.message.Cc, "\n")), word) }, nil
	case "addressed":
		return func(e *entry) bool { return strings.Contains(e.from, word) || strings.Contains(e.to, word) }, nil
	case "message-id":
		return func(e *entry) bool { return strings.Contains(fold(e.message.MessageID), word) }, nil
	case "login":
		return func(e *entry) bool { return fold(e.message.Source.Login) == word }, nil
	case "listener":
		return func(e *entry) bool { return fold(e.message.Source.Listener) == word }, nil
	case "tag":
		return tagMeaning(word), nil
	case "has":
		return hasMeaning(word)
	case "is":
		return isMeaning(word)
	case "larger", "smaller":
		return sizeMeaning(key, word)
	case "before", "after":
		return timeMeaning(key, value, now)
	}
	return func(e *entry) bool {
		return strings.Contains(e.subject, word) || strings.Contains(e.from, word) || strings.Contains(e.to, word) ||
			strings.Contains(e.words, word)
	}, nil
}

func hasMeaning(word string) (func(*entry) bool, error) {
	if word != "attachment" && word != "attachments" {
		return nil, fmt.Errorf("has: is followed by attachment, not by %q", word)
	}
	return func(e *entry) bool { return e.message.Attachments > 0 }, nil
}

func isMeaning(word string) (func(*entry) bool, error) {
	if word != "read" && word != "unread" {
		return nil, fmt.Errorf("is: is followed by read or unread, not by %q", word)
	}
	return func(e *entry) bool { return e.message.Read == (word == "read") }, nil
}

func sizeMeaning(key, word string) (func(*entry) bool, error) {
	digits, unit := strings.TrimSuffix(word, "b"), int64(1)
	if rest, is := strings.CutSuffix(digits, "k"); is {
		digits, unit = rest, 1<<10
	} else if rest, is := strings.CutSuffix(digits, "m"); is {
		digits, unit = rest, 1<<20
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%s: is followed by a size such as 10k or 2m, not by %q", key, word)
	}
	if key == "larger" {
		return func(e *entry) bool { return e.message.Size > n*unit }, nil
	}
	return func(e *entry) bool { return e.message.Size < n*unit }, nil
}

func timeMeaning(key, value string, now time.Time) (func(*entry) bool, error) {
	at, err := moment(value, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if key == "before" {
		return func(e *entry) bool { return e.message.Arrived.Before(at) }, nil
	}
	return func(e *entry) bool { return !e.message.Arrived.Before(at) }, nil
}

// moment reads a time, or how long ago it was.
func moment(s string, now time.Time) (time.Time, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, strings.ToUpper(s), now.Location()); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		s = days + "h"
		if ago, err := time.ParseDuration(s); err == nil && ago >= 0 && ago < 100_000*time.Hour {
			return now.Add(-24 * ago), nil
		}
	} else if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-11-23 or 2026-11-23T10:30, nor so long ago, such as 2h or 3d", s)
}

// fits reports whether a message is one of those looked for.
func (q Query) fits(e *entry) bool {
	for i := range q.terms {
		if q.terms[i].fits(e) == q.terms[i].not {
			return false
		}
	}
	return true
}

// IsZero reports whether all messages are looked for.
func (q Query) IsZero() bool { return len(q.terms) == 0 }

// And returns a query for what fits both.
func (q Query) And(other Query) Query {
	return Query{append(append([]term(nil), q.terms...), other.terms...)}
}

// To is a query for messages that have a word among their recipients; Subject, in their
// subject. "" asks for nothing.
func To(word string) Query { return contains(word, func(e *entry) string { return e.to }) }

// Subject looks for a word in the subject.
func Subject(word string) Query { return contains(word, func(e *entry) string { return e.subject }) }

// From looks for a word in the sender.
func From(word string) Query { return contains(word, func(e *entry) string { return e.from }) }

func contains(word string, in func(*entry) string) Query {
	if word == "" {
		return Query{}
	}
	word = fold(word)
	return Query{[]term{{fits: func(e *entry) bool { return strings.Contains(in(e), word) }}}}
}

// fold is the form in which words are compared: lower case, white space as one space.
func fold(s string) string {
	if plain(s) {
		return s
	}
	return strings.ToLower(strings.Join(strings.Fields(s), " "))
}

// plain reports whether a text is its own folded form, for certain.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c < '!' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
