package find

import (
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
)

// Bounds of a chapter.
const (
	maxMessages = 4096    // fits the numbers of messages
	maxTerms    = 4 << 20 // octets of terms and numbers in memory, about
)

// number is that of a message in its chapter.
type number = uint16

// chapter is what a stretch of the journal tells, in terms. It is read by many, or
// written by one.
type chapter interface {
	// stretch is of which facts it tells: those after the first place, up to the last.
	stretch() (after, last uint64)
	// find returns the numbers of the messages that have a term, in order.
	find(t term) ([]number, error)
	// message returns one by its number.
	message(n number) (mail.ID, error)
	// messages is how many there are.
	messages() int
}

// draft is the chapter that is written, in memory.
type draft struct {
	after, last uint64
	most        int // messages
	ids         []mail.ID
	numbers     map[mail.ID]number
	terms       map[string]int // places in lists
	lists       [][]number     // of the messages that have a term, as they came
	size        int
	key         []byte   // memory for a term
	room        []number // for lists that begin: most stay short
}

// newDraft begins a chapter behind a place, with room for so many terms.
func newDraft(after uint64, most, terms int) *draft {
	return &draft{after: after, last: after, most: most, numbers: map[mail.ID]number{}, terms: make(map[string]int, terms), lists: make([][]number, 0, terms)}
}

func (d *draft) stretch() (after, last uint64) { return d.after, d.last }
func (d *draft) messages() int                 { return len(d.ids) }

func (d *draft) message(n number) (mail.ID, error) { return d.ids[n], nil }

// full: there may be no room for another batch of facts.
func (d *draft) full() bool { return len(d.ids) > d.most-batch || d.size > maxTerms }

func (d *draft) knows(id mail.ID) bool {
	_, known := d.numbers[id]
	return known
}

// enroll gives a message its number.
func (d *draft) enroll(id mail.ID) number {
	n, known := d.numbers[id]
	if !known {
		n = number(len(d.ids))
		d.ids = append(d.ids, id)
		d.numbers[id] = n
	}
	return n
}

// add notes that a message has the terms of an event.
func (d *draft) add(n number, e event.Event) {
	termsOf(e, func(kind byte, text string) {
		if text == "" {
			return
		}
		d.key = append(append(d.key[:0], clip(fold(text))...), 0, kind)
		at, known := d.terms[string(d.key)]
		if !known {
			at = len(d.lists)
			d.terms[string(d.key)] = at
			d.lists = append(d.lists, d.short())
			d.size += 64 + len(d.key)
		}
		list := d.lists[at]
		if i := len(list); i > 0 && list[i-1] == n {
			return
		}
		d.lists[at] = append(list, n)
		d.size += 2
	})
}

// short is an empty list with room for two numbers, of memory that many share.
func (d *draft) short() []number {
	const few = 2
	if len(d.room) < few {
		d.room = make([]number, 1024*few)
	}
	list := d.room[:0:few]
	d.room = d.room[few:]
	return list
}

// find implements [chapter].
func (d *draft) find(t term) ([]number, error) {
	var all []number
	if !t.prefix {
		for _, kind := range []byte(t.kinds) {
			if at, known := d.terms[t.text+string([]byte{0, kind})]; known {
				all = append(all, d.lists[at]...)
			}
		}
		return inOrder(all), nil
	}
	for key, at := range d.terms {
		if fits(&t, key) {
			all = append(all, d.lists[at]...)
		}
	}
	return inOrder(all), nil
}

// fits reports whether a key is of a term.
func fits[K string | []byte](t *term, key K) bool {
	if !begins(key, t.text) {
		return false
	}
	rest := key[len(t.text):]
	return len(rest) >= 2 && (t.prefix || len(rest) == 2 && rest[0] == 0) && strings.IndexByte(t.kinds, rest[len(rest)-1]) >= 0
}

func begins[K string | []byte](key K, start string) bool {
	return len(key) >= len(start) && string(key[:len(start)]) == start
}

// from is where the keys of a term begin.
func (t *term) from() string {
	if t.prefix {
		return t.text
	}
	return t.text + "\x00"
}

// past reports whether a key comes behind those that begin so.
func past[K string | []byte](start string, key K) bool {
	return string(key) > start && !begins(key, start)
}

// inOrder sorts numbers, and leaves out what is there twice.
func inOrder(list []number) []number {
	slices.Sort(list)
	return slices.Compact(list)
}
