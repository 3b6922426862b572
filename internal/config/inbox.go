package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Inbox is the test inbox: what is kept in it, and how inboxes are told apart.
type Inbox struct {
	Origin   mail.Origin
	Messages Setting[int] // of one inbox, or None
	All      Setting[int] // of all inboxes, or None
	Inboxes  Setting[int]
	Keep     Setting[time.Duration] // or None
	Size     Setting[int64]         // octets of all messages
	Boxes    []InboxKeep            // the first that names an inbox counts
	Apart    Setting[[]string]      // what tells inboxes apart: see ApartByLogin and its like; the first that says something counts
}

// InboxKeep says what is kept of some inboxes. What is not given is as for all.
type InboxKeep struct {
	Name     string // of an inbox; with "*" at its end all that begin so
	Origin   mail.Origin
	Messages Setting[int]           // or None
	Keep     Setting[time.Duration] // or None
}

// What may tell inboxes apart.
const (
	ApartByLogin     = "login"     // who has logged in
	ApartByTag       = "tag"       // "sale" of jane+sale@example.org
	ApartByRecipient = "recipient" // the whole address
	ApartByListener  = "listener"  // where the mail came in
)

func defaultInbox() Inbox {
	return Inbox{
		Messages: builtIn(10_000), All: builtIn(50_000), Inboxes: builtIn(1000),
		Keep: builtIn(30 * day), Size: builtIn[int64](2 << 30), Apart: builtIn([]string{ApartByLogin, ApartByTag}),
	}
}

func (c *Config) inboxBlock() block {
	return block{
		word: "inbox", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			c.Inbox.Origin = at
			return c.Inbox.schema(), true
		},
		all: func() []schema {
			if c.Inbox.Origin == (mail.Origin{}) && !c.HasInbox() {
				return nil
			}
			return []schema{c.Inbox.schema()}
		},
	}
}

func (x *Inbox) schema() schema {
	return schema{title: "inbox", fields: []field{
		one("messages", &x.Messages, orNone(number(1, math.MaxInt32))),
		one("all", &x.All, orNone(number(1, 1_000_000))),
		one("inboxes", &x.Inboxes, number(1, 100_000)),
		one("keep", &x.Keep, orNone(duration(time.Minute, 3650*day))),
		one("size", &x.Size, size(1<<20, 1<<50)),
		list("apart", &x.Apart, choice(ApartByLogin, ApartByTag, ApartByRecipient, ApartByListener)),
	}, blocks: []block{x.boxBlock()}}
}

func (x *Inbox) boxBlock() block {
	return many("box", "ci-*", &x.Boxes, (*InboxKeep).schema,
		func(_ *decoder, label string, at mail.Origin) (InboxKeep, bool) {
			return InboxKeep{Name: label, Origin: at}, true
		})
}

func (k *InboxKeep) schema() schema {
	return schema{title: fmt.Sprintf("box %s", literal(k.Name)), fields: []field{
		one("messages", &k.Messages, orNone(number(1, math.MaxInt32))),
		one("keep", &k.Keep, orNone(duration(time.Minute, 3650*day))),
	}}
}

// HasInbox reports whether a listener or a route leads to the test inbox.
func (c *Config) HasInbox() bool {
	return slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Kind == ListenInbox }) ||
		slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Transport == IntoInbox })
}

// checkInbox finds an inbox that nothing leads to, and one that others could fill.
func (d *decoder) checkInbox(c *Config) {
	if c.Inbox.Origin != (mail.Origin{}) && !c.HasInbox() {
		d.add(c.Inbox.Origin, `write listen "inbox" {}, or a route with inbox = "NAME"`, "no mail comes into the inbox")
	}
	for i := range c.Inbox.Boxes {
		b := &c.Inbox.Boxes[i]
		if star := strings.IndexByte(b.Name, '*'); b.Name == "" || star >= 0 && star < len(b.Name)-1 {
			d.add(b.Origin, "", "%q is neither the name of an inbox nor, as \"ci-*\", how names begin", clip(b.Name))
		}
		if slices.ContainsFunc(c.Inbox.Boxes[:i], func(before InboxKeep) bool { return before.Name == b.Name }) {
			d.add(b.Origin, "", "the box %q is there already", clip(b.Name))
		}
		if !b.Messages.Given() && !b.Keep.Given() {
			d.add(b.Origin, "write messages or keep", "it says nothing about %q", clip(b.Name))
		}
	}
}
