package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Rule sends those to whom its conditions apply along a way. All of the
// conditions that are given have to fit, and of each list one entry; a rule
// without conditions fits everybody.
type Rule struct {
	Name   string
	Origin mail.Origin

	To     []Pattern      // the recipient
	From   []Pattern      // the sender of the envelope
	Source []netip.Prefix // the client's address; mail that came from inside has none
	Login  []string       // who logged in; "*": anybody who did

	Way Way
}

// Way is what carries the mail of a rule, and to where.
type Way struct {
	Transport string // its name: "remote", "maildir", "discard", or one that the configuration gives

	// Of these at most one is given; without, the destination is the recipient's
	// domain.
	//
	// Hosts are asked one after the other until one takes the mail: smarthosts,
	// or the server of LMTP. The destination is the list, with ", " between.
	Hosts []string
	// Mailbox: the destination is the recipient's address in lower case, the key
	// of limits; the transport reads the address itself from the envelope.
	Mailbox bool
	// Destination is the same for all, such as the name of a program.
	Destination string
}

// Question is what a rule may ask about.
type Question struct {
	To, From smtp.Path
	Source   netip.Addr // invalid: it came from inside
	Login    string     // "": nobody
}

// Ask makes the question of a recipient of a message.
func Ask(e *mail.Envelope, recipient int) Question {
	return Question{e.To[recipient].To, e.From, e.Source.Client.Addr().Unmap(), e.Source.Login}
}

// Condition is one of the conditions of a rule.
type Condition uint8

// The conditions, in the order in which they are held against a question.
const (
	None Condition = iota // of them failed: the rule fits
	To
	From
	Source
	Login
)

func (c Condition) String() string {
	return [...]string{"", "recipient", "sender", "source", "login"}[c]
}

// asked is a question, prepared.
type asked struct {
	to, from subject
	source   netip.Addr
	login    string
}

func prepare(q Question) asked {
	return asked{subjectOf(q.To), subjectOf(q.From), q.Source.Unmap(), q.Login}
}

// fails returns the first condition, behind To, that does not fit.
func (r *Rule) fails(a *asked) Condition {
	switch {
	case !anyMatches(r.From, a.from):
		return From
	case len(r.Source) > 0 && !slices.ContainsFunc(r.Source, func(p netip.Prefix) bool { return p.Contains(a.source) }):
		return Source
	case len(r.Login) > 0 && !slices.ContainsFunc(r.Login, func(l string) bool { return l == a.login || l == "*" && a.login != "" }):
		return Login
	}
	return None
}

func anyMatches(list []Pattern, s subject) bool {
	if len(list) == 0 {
		return true
	}
	for i := range list {
		if list[i].matches(s) {
			return true
		}
	}
	return false
}

// hop makes the next hop of a recipient whom the rule fits.
func (r *Rule) hop(to *subject) mail.Hop {
	h := mail.Hop{Route: r.Name, Transport: r.Way.Transport, Origin: r.Origin}
	switch w := &r.Way; {
	case len(w.Hosts) > 0:
		h.Destination = strings.Join(w.Hosts, ", ")
	case w.Mailbox:
		h.Destination = to.local + "@" + to.domain
	case w.Destination != "":
		h.Destination = w.Destination
	default:
		h.Destination = to.domain
	}
	return h
}

// check finds what is wrong with a rule by itself.
func (r *Rule) check() error {
	given := 0
	for _, is := range []bool{len(r.Way.Hosts) > 0, r.Way.Mailbox, r.Way.Destination != ""} {
		if is {
			given++
		}
	}
	switch {
	case r.Way.Transport == "":
		return fmt.Errorf("%s: route %q names no transport", r.Origin, r.Name)
	case given > 1:
		return fmt.Errorf("%s: route %q names more than one destination", r.Origin, r.Name)
	}
	return nil
}
