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
	terms       map[string]int // where in lists the messages stand that have one
	lists       [][]number
	alone       []number // memory for lists of one: most terms are of one message
	size        int
	key         []byte // memory for a term
}

// newDraft begins a chapter behind a place, with room for so many terms.
func newDraft(after uint64, most, terms int) *draft {
	return &draft{after: after, last: after, most: most, numbers: map[mail.ID]number{}, terms: make(map[string]int, terms)}
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
		d.key = append(clip(appendFold(d.key[:0], text)), 0, kind)
		d.note(d.key, n)
	})
}

// note notes that a message has a term, by its key.
func (d *draft) note(key []byte, n number) {
	at, known := d.terms[string(key)]
	if !known {
		d.terms[string(key)] = len(d.lists)
		d.lists = append(d.lists, d.one(n))
		d.size += 64 + len(key) + 2
		return
	}
	if list := d.lists[at]; list[len(list)-1] != n {
		d.lists[at] = append(list, n)
		d.size += 2
	}
}

// one is a list of one number.
func (d *draft) one(n number) []number {
	if len(d.alone) == cap(d.alone) {
		d.alone = make([]number, 0, 1024)
	}
	d.alone = append(d.alone, n)
	return d.alone[len(d.alone)-1 : len(d.alone) : len(d.alone)]
}

// list are the messages that have a term, by its key.
func (d *draft) list(key string) []number {
	if at, known := d.terms[key]; known {
		return d.lists[at]
	}
	return nil
}

// find implements [chapter].
func (d *draft) find(t term) ([]number, error) {
	var all []number
	if !t.prefix {
		for _, kind := range []byte(t.kinds) {
			all = append(all, d.list(t.text+string([]byte{0, kind}))...)
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
