package inbox

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/letter"
	"github.com/posthouse/posthouse/internal/mail"
)

// Info is one inbox.
type Info struct {
	Name     string    `json:"name"`
	Messages int       `json:"messages"`
	Unread   int       `json:"unread"`
	Octets   int64     `json:"octets"`
	Newest   time.Time `json:"newest"`
}

// Inboxes lists the inboxes that have a message, by name.
func (s *Store) Inboxes() []Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Info, 0, len(s.index.boxes))
	for name, b := range s.index.boxes {
		newest := b.entries[len(b.entries)-1].message.Arrived
		all = append(all, Info{name, len(b.entries), b.unread, b.octets, newest})
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Page is some of the messages that were looked for.
type Page struct {
	Messages []Message // newest first
	Found    int       // how many fit in all
	All      int       // how many there are in the inbox
	Unread   int       // of those that fit
	More     bool      // older ones fit, too
}

// List returns messages of an inbox that fit a query, the newest first: most of them at
// most, from the one that is next older than before; a zero ID is the beginning. An
// inbox that is not there is empty. "" is every inbox.
func (s *Store) List(inbox string, q Query, before mail.ID, most int) Page {
	p := Page{Messages: []Message{}}
	for _, e := range s.fitting(inbox, q, &p) {
		switch {
		case !before.IsZero() && strings.Compare(string(e.message.ID[:]), string(before[:])) >= 0:
		case len(p.Messages) == most:
			p.More = true
			return p
		default:
			p.Messages = append(p.Messages, e.message)
		}
	}
	return p
}

// fitting returns what fits, the newest first, and counts it.
func (s *Store) fitting(inbox string, q Query, p *Page) []*entry {
	var found []*entry
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := s.index.of(inboxName(inbox))
	p.All = len(all)
	for _, e := range slices.Backward(all) {
		if q.fits(e) {
			found = append(found, e)
			if !e.message.Read {
				p.Unread++
			}
		}
	}
	p.Found = len(found)
	return found
}

// inboxName is the name that is looked up; "" stays as it is.
func inboxName(name string) string {
	if name == "" {
		return ""
	}
	return Fold(name)
}

// Get returns what is known of a message. The error is [ErrNotFound].
func (s *Store) Get(inbox string, id mail.ID) (Message, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.index.find(inboxName(inbox), id); e != nil {
		return e.message, nil
	}
	return Message{}, ErrNotFound
}

// Open opens the source of a message, which whoever called closes.
func (s *Store) Open(inbox string, id mail.ID) (io.ReadSeekCloser, error) {
	m, err := s.Get(inbox, id)
	if err != nil {
		return nil, err
	}
	return s.files.open(m.Inbox, id)
}

// Letter reads a message for people.
func (s *Store) Letter(ctx context.Context, inbox string, id mail.ID) (*letter.Letter, error) {
	f, err := s.Open(inbox, id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := s.readingBegins(ctx); err != nil {
		return nil, err
	}
	defer s.readingEnds()
	source, err := io.ReadAll(io.LimitReader(f, MaxMessage))
	if err != nil {
		return nil, err
	}
	return letter.Parse(source), nil
}

// Dialogue returns the SMTP dialogue in which a message came; nil if it came otherwise.
func (s *Store) Dialogue(inbox string, id mail.ID) ([]Line, error) {
	m, err := s.Get(inbox, id)
	if err != nil {
		return nil, err
	}
	r, err := s.files.read(m.Inbox, id)
	if err != nil {
		return nil, err
	}
	return r.Dialogue, nil
}
