package inbox

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// entry is a message in the index: what is known of it, and the words that are
// searched, folded.
type entry struct {
	message                  Message
	from, to, subject, words string
	nth                      uint64 // counts what was added
}

func newEntry(r *record) *entry {
	m := r.Message
	return &entry{
		message: m,
		from:    fold(m.From + "\n" + m.Author),
		to:      fold(strings.Join(m.To, "\n") + "\n" + strings.Join(m.ShownTo, "\n")),
		subject: fold(m.Subject),
		words:   fold(r.Words),
	}
}

// index is all messages in the order of their IDs, which is that of their arrival, and
// those of each inbox. Whoever uses it holds the lock of the store.
type index struct {
	keep   *Keep
	all    []*entry
	boxes  map[string]*box
	octets int64
	words  int
	added  uint64
}

// box is one inbox.
type box struct {
	entries []*entry
	octets  int64
	unread  int

	messages int           // the most that are kept; see Keep
	age      time.Duration // the same
}

func (x *index) init(k *Keep) { x.keep, x.boxes = k, map[string]*box{} }

// add puts a message in its place.
func (x *index) add(e *entry) {
	b := x.count(e)
	x.all, b.entries = place(x.all, e), place(b.entries, e)
}

// load appends a message that was read from the disk, in any order; sort comes after it.
func (x *index) load(e *entry) {
	b := x.count(e)
	x.all, b.entries = append(x.all, e), append(b.entries, e)
}

// count counts a message, and returns its inbox.
func (x *index) count(e *entry) *box {
	if x.words > wordsBudget {
		e.words = strings.Clone(clip(e.words, fewWords))
	}
	x.added++
	e.nth = x.added
	b := x.boxes[e.message.Inbox]
	if b == nil {
		b = &box{}
		b.messages, b.age = x.keep.of(e.message.Inbox)
		x.boxes[e.message.Inbox] = b
	}
	x.octets, b.octets = x.octets+e.message.Size, b.octets+e.message.Size
	x.words += len(e.words)
	if !e.message.Read {
		b.unread++
	}
	return b
}

func byID(a, b *entry) int { return bytes.Compare(a.message.ID[:], b.message.ID[:]) }

// place puts e where it belongs, which is at or near the end.
func place(all []*entry, e *entry) []*entry {
	if n := len(all); n == 0 || byID(all[n-1], e) < 0 {
		return append(all, e)
	}
	i, _ := slices.BinarySearchFunc(all, e, byID)
	return slices.Insert(all, i, e)
}

// sort puts what was loaded in order.
func (x *index) sort() {
	slices.SortFunc(x.all, byID)
	for i, e := range x.all {
		e.nth = uint64(i + 1)
	}
	for _, b := range x.boxes {
		slices.SortFunc(b.entries, byID)
	}
}

// newest is the highest ID that there is.
func (x *index) newest() mail.ID {
	if len(x.all) == 0 {
		return mail.ID{}
	}
	return x.all[len(x.all)-1].message.ID
}

// of returns the messages of an inbox, or all of them for "".
func (x *index) of(name string) []*entry {
	if name == "" {
		return x.all
	}
	if b := x.boxes[name]; b != nil {
		return b.entries
	}
	return nil
}

// find returns a message, or nil.
func (x *index) find(name string, id mail.ID) *entry {
	all := x.of(name)
	i, ok := slices.BinarySearchFunc(all, id, func(e *entry, id mail.ID) int { return bytes.Compare(e.message.ID[:], id[:]) })
	if !ok {
		return nil
	}
	return all[i]
}

// drop takes messages out, at a cost that is linear in those that are there.
func (x *index) drop(gone []*entry) {
	if len(gone) == 0 {
		return
	}
	out := make(map[*entry]bool, len(gone))
	touched := map[string]bool{}
	for _, e := range gone {
		out[e] = true
		touched[e.message.Inbox] = true
		b := x.boxes[e.message.Inbox]
		x.octets, b.octets = x.octets-e.message.Size, b.octets-e.message.Size
		x.words -= len(e.words)
		if !e.message.Read {
			b.unread--
		}
	}
	is := func(e *entry) bool { return out[e] }
	x.all = slices.DeleteFunc(x.all, is)
	for name := range touched {
		b := x.boxes[name]
		if b.entries = slices.DeleteFunc(b.entries, is); len(b.entries) == 0 {
			delete(x.boxes, name)
		}
	}
}

// trim takes out what is not to be kept, and returns it.
func (x *index) trim(now time.Time) []*entry {
	gone := x.beyond(now)
	x.drop(gone)
	return gone
}

// beyond is what is not to be kept: the oldest.
func (x *index) beyond(now time.Time) []*entry {
	k := x.keep
	out := map[*entry]bool{}
	var gone []*entry
	add := func(some []*entry) {
		for _, e := range some {
			if !out[e] {
				out[e] = true
				gone = append(gone, e)
			}
		}
	}
	for k.Inboxes > 0 && len(x.boxes)-emptied(x, gone) > k.Inboxes {
		add(x.quietest(out))
	}
	for _, b := range x.boxes {
		add(b.beyond(now))
	}
	left, octets := len(x.all)-len(gone), x.octets
	for _, e := range gone {
		octets -= e.message.Size
	}
	for _, e := range x.all {
		many := k.All > 0 && left > k.All || k.Octets > 0 && octets > k.Octets && left > 1
		switch {
		case !many:
			return gone
		case out[e]:
			continue
		}
		add([]*entry{e})
		left, octets = left-1, octets-e.message.Size
	}
	return gone
}

// beyond is what is not to be kept of an inbox: the oldest.
func (b *box) beyond(now time.Time) []*entry {
	n := 0
	if b.messages > 0 {
		n = max(0, len(b.entries)-b.messages)
	}
	for b.age > 0 && n < len(b.entries) && now.Sub(b.entries[n].message.Arrived) > b.age {
		n++
	}
	return b.entries[:n]
}

// emptied is how many inboxes have nothing left without those that go.
func emptied(x *index, gone []*entry) int {
	n := map[string]int{}
	empty := 0
	for _, e := range gone {
		if n[e.message.Inbox]++; n[e.message.Inbox] == len(x.boxes[e.message.Inbox].entries) {
			empty++
		}
	}
	return empty
}

// quietest is the messages of the inbox in which nothing came for longest.
func (x *index) quietest(out map[*entry]bool) []*entry {
	var quiet *box
	for _, b := range x.boxes {
		last := b.entries[len(b.entries)-1]
		if !out[last] && (quiet == nil || last.nth < quiet.entries[len(quiet.entries)-1].nth) {
			quiet = b
		}
	}
	return quiet.entries
}
