package find

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Query is a search.
type Query struct {
	Words string // see [Help]; "": all there is
	After string // go on behind a page, with its Next; "": from the newest
	Limit int    // messages; 0: 50, at most 200
}

// Page is what a search has found, the newest first.
type Page struct {
	Found []Message
	// Next is where the search goes on; "": that is all. A search that is long stops
	// in between, so a page may be empty and yet have a Next.
	Next string
	// Behind is how old the journal was when the index last knew all of it.
	Behind time.Duration
}

// Message is one that was found, and what the journal tells of it: in order, up to
// 1,000 entries.
type Message struct {
	ID      mail.ID
	Entries []event.Entry
}

const (
	usualPage   = 50
	longestPage = 200
	// enough is after what time a search stops in between.
	enough = 500 * time.Millisecond
)

// Find searches. A [*SyntaxError] says what is wrong with the words.
func (x *Index) Find(ctx context.Context, q Query) (Page, error) {
	clauses, id, err := parse(q.Words)
	if err != nil {
		return Page{}, err
	}
	s := &search{x: x, ctx: ctx, clauses: clauses, limit: usualPage, from: start, began: time.Now()}
	if q.Limit > 0 {
		s.limit = min(q.Limit, longestPage)
	}
	if q.After != "" {
		if _, err := fmt.Sscanf(q.After, "%d.%d", &s.from.chapter, &s.from.number); err != nil || s.from.number < 0 {
			return Page{}, wrong("%q is no place in a search: take the \"next\" of a page", q.After)
		}
	}
	switch {
	case id.IsZero():
		cheapest(s.clauses)
		err = s.run()
	case len(clauses) > 0:
		err = wrong("an ID finds its message alone: leave out the other words, or it")
	default:
		err = s.one(id)
	}
	s.page.Behind = x.Behind()
	return s.page, err
}

// place is where a search goes on: the chapter, by where it begins, and the number
// before which.
type place struct {
	chapter uint64
	number  int
}

// start is before the newest chapter.
var start = place{1<<64 - 1, maxMessages}

// search is one under way.
type search struct {
	x       *Index
	ctx     context.Context
	clauses []clause
	limit   int
	from    place
	began   time.Time
	page    Page

	files []*file // that are left, the oldest first
	known uint64  // up to which place of the journal the index knows it
}

// run looks through the chapters.
func (s *search) run() error {
	done, err := s.newest()
	for ; err == nil && !done; done, err = s.next() {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
	}
	return err
}

// newest looks through the draft.
func (s *search) newest() (done bool, err error) {
	s.x.mu.RLock()
	d := s.x.draft
	s.files, s.known = s.x.files, d.last
	var ids []mail.ID
	var numbers []number
	if s.from.chapter >= d.after {
		numbers, _ = look(d, s.clauses) // in memory nothing is damaged
		numbers = s.open(d, numbers)
		for _, n := range numbers {
			ids = append(ids, d.ids[n])
		}
	}
	after := d.after
	s.x.mu.RUnlock()
	for i := len(ids) - 1; i >= 0; i-- {
		if done, err := s.add(ids[i], place{after, int(numbers[i])}, s.known); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// open are the numbers that the search has not come to yet.
func (s *search) open(c chapter, numbers []number) []number {
	if after, _ := c.stretch(); after != s.from.chapter {
		return numbers
	}
	i, _ := slices.BinarySearch(numbers, number(min(s.from.number, maxMessages)))
	return numbers[:i]
}

// next looks through one file more.
func (s *search) next() (done bool, err error) {
	for n := len(s.files); n > 0 && s.files[n-1].after > s.from.chapter; n-- {
		s.files = s.files[:n-1]
	}
	n := len(s.files)
	if n == 0 {
		return true, nil
	}
	c := s.files[n-1]
	s.files = s.files[:n-1]
	if time.Since(s.began) > enough {
		s.page.Next = fmt.Sprintf("%d.%d", c.after, maxMessages)
		return true, nil
	}
	done, err = s.through(c)
	switch {
	case errors.Is(err, errDamaged):
		s.x.distrust(c)
		return false, nil
	case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile: the journal has forgotten it
		return false, nil
	}
	return done, err
}

// distrust has a chapter made anew.
func (x *Index) distrust(c *file) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.damaged = c
}

func (s *search) through(c *file) (done bool, err error) {
	o, err := c.open()
	if err != nil {
		return false, err
	}
	defer o.close()
	numbers, err := look(o, s.clauses)
	if err != nil {
		return false, err
	}
	for _, n := range slices.Backward(s.open(o, numbers)) {
		id, err := o.message(n)
		if err != nil {
			return false, err
		}
		if done, err := s.add(id, place{c.after, int(n)}, c.last); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// add adds a message that was found, unless a later chapter tells of it too, or the
// journal has forgotten it. last is the end of the chapter.
func (s *search) add(id mail.ID, at place, last uint64) (done bool, err error) {
	facts, err := s.x.opts.Journal.Facts(s.ctx, spool.FactQuery{ID: id})
	if err != nil || len(facts.Facts) == 0 {
		return false, err
	}
	newest := facts
	if facts.More {
		if newest, err = s.x.opts.Journal.Facts(s.ctx, spool.FactQuery{ID: id, Newest: true, Limit: 1}); err != nil {
			return false, err
		}
	}
	for i := range newest.Facts {
		if seq := newest.Facts[i].Seq; seq > last && seq <= s.known {
			return false, nil
		}
	}
	if len(s.page.Found) == s.limit {
		s.page.Next = fmt.Sprintf("%d.%d", at.chapter, at.number+1)
		return true, nil
	}
	s.page.Found = append(s.page.Found, Message{id, entries(&facts)})
	return false, nil
}

// one is the message of an ID.
func (s *search) one(id mail.ID) error {
	facts, err := s.x.opts.Journal.Facts(s.ctx, spool.FactQuery{ID: id})
	if err == nil && len(facts.Facts) > 0 {
		s.page.Found = []Message{{id, entries(&facts)}}
	}
	return err
}

func entries(p *spool.FactPage) (all []event.Entry) {
	for _, f := range p.Facts {
		if e, err := event.Parse(f.Data); err == nil {
			all = append(all, event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e})
		}
	}
	return all
}
