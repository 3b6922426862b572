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
	terms       map[string][]number
	size        int
	key         []byte // memory for a term
}

func newDraft(after uint64, most int) *draft {
	return &draft{after: after, last: after, most: most, numbers: map[mail.ID]number{}, terms: map[string][]number{}}
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
		d.key = append(append(d.key[:0], kind), clip(fold(text))...)
		list := d.terms[string(d.key)]
		if i := len(list); i > 0 && list[i-1] == n {
			return
		}
		if list == nil {
			d.size += 64 + len(d.key)
		}
		d.terms[string(d.key)] = append(list, n)
		d.size += 2
	})
}

// find implements [chapter].
func (d *draft) find(t term) ([]number, error) {
	if !t.prefix {
		return inOrder(slices.Clone(d.terms[t.key])), nil
	}
	var all []number
	for key, list := range d.terms {
		if strings.HasPrefix(key, t.key) {
			all = append(all, list...)
		}
	}
	return inOrder(all), nil
}

// inOrder sorts numbers, and leaves out what is there twice.
func inOrder(list []number) []number {
	slices.Sort(list)
	return slices.Compact(list)
}
