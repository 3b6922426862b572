package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

// phrase is what another room says in English, and how it is said in the other languages,
// as in a row of words. %s stands for what the room has put into it; a translation in
// which that stands elsewhere counts it, as in %[2]s.
//
// Rooms speak English: their sentences are in the journal, in answers to programs and in
// terminals. Only pages have readers of whom it is known what they read, so it is said
// anew here, from the sentence alone. What no phrase fits is shown as it is, and marked as
// English; a test holds the sentences of the rooms against the phrases.
type phrase [2]string

// phrasebook finds the phrase that a sentence is.
type phrasebook struct {
	lang    *language
	entries []bookEntry // those with the most letters of their own first
}

type bookEntry struct {
	pieces []string // of the English, between what is put into it
	own    int      // octets of the pieces
	says   string
}

func newPhrasebook(l *language) *phrasebook {
	b := &phrasebook{lang: l}
	if l.index == 0 {
		return b
	}
	for _, p := range phrases() {
		e := bookEntry{pieces: strings.Split(p[0], "%s"), says: p[l.index]}
		for _, piece := range e.pieces {
			e.own += len(piece)
		}
		b.entries = append(b.entries, e)
	}
	slices.SortStableFunc(b.entries, func(a, b bookEntry) int { return cmp.Compare(b.own, a.own) })
	return b
}

// phrases are all that there are.
func phrases() []phrase {
	return slices.Concat(phrasesOfLetters, phrasesOfWays, phrasesOfChecks, phrasesOfFaults, phrasesOfCodes)
}

// told is a sentence of another room, for the reader of a page.
type told struct {
	Text string
	Lang string // of the text, if it is not that of the page
}

// tell says a sentence in the language of the book.
func (b *phrasebook) tell(sentence string) told {
	if b.lang.index == 0 || sentence == "" {
		return told{Text: sentence}
	}
	if text, known := b.say(sentence, deepest); known {
		return told{Text: text}
	}
	return told{sentence, languages[0].tag}
}

// deepest is how many sentences may be in each other.
const deepest = 3

// say translates a sentence, or a list of them.
func (b *phrasebook) say(sentence string, depth int) (string, bool) {
	for i := range b.entries {
		e := &b.entries[i]
		args, is := e.match(sentence)
		if is && strings.Contains(strings.Join(args, ""), ", ") && depth > 0 { // it may be a list that begins or ends so
			if text, known := b.list(sentence, depth-1); known {
				return text, true
			}
		}
		if is {
			return b.fill(e, args, depth), true
		}
	}
	if text, is := b.lang.spans(sentence); is {
		return text, true
	}
	if depth == 0 || !strings.Contains(sentence, ", ") {
		return sentence, false
	}
	return b.list(sentence, depth-1)
}

// list translates sentences with commas between them, if all are known.
func (b *phrasebook) list(sentence string, depth int) (string, bool) {
	parts := strings.Split(sentence, ", ")
	for i, part := range parts {
		text, known := b.say(part, depth)
		if !known {
			return sentence, false
		}
		parts[i] = text
	}
	return strings.Join(parts, "，"), true
}

// fill puts into a translation what was in the sentence, which may be sentences too. What
// stands in quotes is a name or a stranger's word, and stays.
func (b *phrasebook) fill(e *bookEntry, args []string, depth int) string {
	said := make([]any, len(args))
	for i, arg := range args {
		if depth > 0 && !strings.HasSuffix(e.pieces[i], `"`) {
			arg, _ = b.say(arg, depth-1) // else it is one, too
			if means := b.meaning(arg); means != "" {
				arg += "（" + means + "）"
			}
		}
		said[i] = arg
	}
	return fmt.Sprintf(e.says, said...)
}

// match finds what stands between the pieces, in time linear in the sentence.
func (e *bookEntry) match(sentence string) ([]string, bool) {
	last := len(e.pieces) - 1
	rest, is := strings.CutPrefix(sentence, e.pieces[0])
	if last == 0 {
		return nil, is && rest == ""
	}
	if is {
		rest, is = strings.CutSuffix(rest, e.pieces[last])
	}
	var args []string
	for _, piece := range e.pieces[1:last] {
		var arg string
		if is {
			arg, rest, is = strings.Cut(rest, piece)
		}
		args = append(args, arg)
	}
	return append(args, rest), is
}

// unitKeys are the letters by which programs print times.
var unitKeys = map[byte]string{'s': "unit.second", 'm': "unit.minute", 'h': "unit.hour", 'd': "unit.day", 'w': "unit.week"}

// spans says times as programs print them: "1h30m", or "5m..1h, 8h".
func (l *language) spans(s string) (string, bool) {
	var b strings.Builder
	for open := false; s != "" || open; {
		n := len(s) - len(strings.TrimLeft(s, "0123456789"))
		switch {
		case n > 0 && n < len(s) && unitKeys[s[n]] != "":
			b.WriteString(s[:n] + l.say(unitKeys[s[n]]))
			s, open = s[n+1:], false
		case !open && b.Len() > 0 && strings.HasPrefix(s, ".."):
			b.WriteString("–")
			s, open = s[2:], true
		case !open && b.Len() > 0 && strings.HasPrefix(s, ", "):
			b.WriteString(", ")
			s, open = s[2:], true
		default:
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// meaning is what the code of a reply means, for who does not read English; "" for who
// does, and for a code that says yes.
func (b *phrasebook) meaning(reply string) string {
	code, text, _ := strings.Cut(reply, " ")
	number, err := strconv.Atoi(code)
	if b.lang.index == 0 || err != nil || number < 400 {
		return ""
	}
	means := smtp.Code(number).Meaning()
	enhanced, _, _ := strings.Cut(text, " ")
	if e, is := smtp.ParseEnhancedCode(enhanced); is && e[2] != 0 && e.Meaning() != "" {
		means = e.Meaning() // it says more
	}
	said, known := b.say(means, 0)
	if !known {
		return ""
	}
	return said
}

// functions are those of the templates.
func (b *phrasebook) functions() template.FuncMap {
	return template.FuncMap{"tell": b.tell, "meaning": b.meaning}
}
