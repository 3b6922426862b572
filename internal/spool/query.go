package spool

import (
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Place is where a recipient is that is not done.
type Place uint8

// The places; zero stands for any.
const (
	Fresh Place = iota + 1
	Waiting
	Held
)

// String prints "fresh", "waiting" or "held".
func (p Place) String() string {
	if int(p) < len(placeNames) {
		return placeNames[p]
	}
	return ""
}

var placeNames = [...]string{"any", "fresh", "waiting", "held"}

// Filter chooses recipients. A zero field chooses all; what is set must hold
// together. Patterns are matched without regard to case, with '*' for any run of characters.
type Filter struct {
	ID            mail.ID
	Recipient     *int   // index; with ID
	From, To      string // patterns of addresses; "<>" is the null sender. To is the final recipient or the original one
	Destination   string // pattern
	Place         Place
	Leased        *bool
	Suspect       bool
	ArrivedBefore time.Time
	ArrivedAfter  time.Time
	Larger        int64     // octets of the message; 0: any
	Smaller       int64     // octets of the message; 0: any
	DueBefore     time.Time // of waiting recipients
	Reply         string    // begins the code or enhanced code of the last reply, or stands in its text
	Login         string    // pattern
	Subject       string    // pattern
}

// Query is a filter and a page of what it chooses.
type Query struct {
	Filter Filter
	After  Cursor
	Limit  int // at most so many items; 0 or more than MaxPage means MaxPage
}

// Cursor is a place in a list. The zero Cursor is before its start.
type Cursor struct {
	ID        mail.ID
	Recipient int // the last one that was looked at
}

// Page is a part of a list. A page may hold no item and yet have a Next, since
// an engine looks at a bounded number of recipients in one call.
type Page struct {
	Items []Item
	More  bool   // not at the end yet
	Next  Cursor // where to go on, if More
}

// Item is a recipient in a list.
type Item struct {
	Envelope *mail.Envelope // shared by the items of a message; not to be written to
	Standing Standing
	Place    Place
	Owner    Owner // who has it on lease; zero: nobody
}

// Ref names the recipient.
func (it *Item) Ref() Ref { return Ref{it.Envelope.ID, it.Standing.Recipient} }

// Match reports whether the filter chooses the item.
func (f *Filter) Match(it *Item) bool {
	return f.matchPlace(it) && f.MatchEnvelope(it.Envelope) &&
		f.MatchRecipient(it.Envelope, it.Standing.Recipient) && f.matchStanding(it)
}

// MatchEnvelope is the part of Match that looks only at the envelope; what it
// refuses, Match refuses for every recipient.
func (f *Filter) MatchEnvelope(e *mail.Envelope) bool {
	if !f.ID.IsZero() && f.ID != e.ID {
		return false
	}
	if !f.ArrivedBefore.IsZero() && !e.Arrived.Before(f.ArrivedBefore) {
		return false
	}
	if !f.ArrivedAfter.IsZero() && !e.Arrived.After(f.ArrivedAfter) {
		return false
	}
	if f.Larger > 0 && e.Size <= f.Larger || f.Smaller > 0 && e.Size >= f.Smaller {
		return false
	}
	return (f.From == "" || like(f.From, sender(e.From))) &&
		(f.Login == "" || like(f.Login, e.Source.Login)) &&
		(f.Subject == "" || like(f.Subject, e.Subject))
}

func (f *Filter) matchPlace(it *Item) bool {
	if f.Place != 0 && f.Place != it.Place {
		return false
	}
	if f.Leased != nil && *f.Leased != (it.Owner != Owner{}) {
		return false
	}
	return !f.Suspect || it.Standing.Suspect
}

// MatchRecipient is the part of Match that looks only at who a recipient is; whom
// it refuses, Match refuses wherever it stands.
func (f *Filter) MatchRecipient(e *mail.Envelope, recipient int) bool {
	if f.Recipient != nil && *f.Recipient != recipient {
		return false
	}
	to := &e.To[recipient]
	return f.To == "" || like(f.To, to.To.String()) || like(f.To, to.Original.String())
}

// MatchDestination is the part of Match that looks only at the destination.
func (f *Filter) MatchDestination(name string) bool {
	return f.Destination == "" || like(f.Destination, name)
}

func (f *Filter) matchStanding(it *Item) bool {
	s := &it.Standing
	if !f.DueBefore.IsZero() && (it.Place != Waiting || !s.Due.Before(f.DueBefore)) {
		return false
	}
	return f.MatchDestination(s.Destination) && f.MatchReply(s.Last.Reply)
}

// MatchReply is the part of Match that looks only at the last reply; nil is none.
func (f *Filter) MatchReply(r *smtp.Reply) bool { return f.Reply == "" || replied(r, f.Reply) }

func sender(p smtp.Path) string {
	if p.IsNull() {
		return "<>"
	}
	return p.String()
}

func replied(r *smtp.Reply, want string) bool {
	if r == nil {
		return false
	}
	line := r.Error()
	return strings.HasPrefix(line, want) || strings.HasPrefix(r.Enhanced.String(), want) ||
		strings.Contains(strings.ToLower(line), strings.ToLower(want))
}

// like matches a pattern with '*'. Each piece between stars is looked for once,
// so the time is that of strings.Index for each piece.
func like(pattern, s string) bool {
	pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		piece, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, piece)
		}
		at := strings.Index(s, piece)
		if at < 0 {
			return false
		}
		s, rest = s[at+len(piece):], more
	}
}

// Stats counts recipients by place, and what else there is.
type Stats struct {
	Messages  int64
	Bytes     int64 // of the contents
	Fresh     int64 // recipients; leased ones are counted where they are
	Waiting   int64
	Held      int64
	Leased    int64
	Damaged   int64 // messages in quarantine, not counted above
	Facts     int64 // records of the journal
	FactBytes int64
	States    int64
	Free      int64 // octets of disk that are free; -1: not known
	Refusing  bool  // Begin returns ErrFull
}

// Destination is what waits under one name.
type Destination struct {
	Name       string
	Recipients int64     // waiting and held
	Earliest   time.Time // when the first one that nobody has leased falls due; zero: none does
}

// Damage is a message in quarantine.
type Damage struct {
	ID   mail.ID
	At   time.Time
	What string
}
