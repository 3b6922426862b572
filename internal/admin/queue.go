package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// QueuePage is a part of the queue, by the age of the messages.
type QueuePage struct {
	Recipients []Recipient `json:"recipients"`
	Next       string      `json:"next,omitempty"` // "": there are no more
}

// Recipient is one recipient that is not done, with what of its message belongs to it.
type Recipient struct {
	ID        mail.ID   `json:"id"`
	Recipient int       `json:"recipient"` // index in the message
	From      smtp.Path `json:"from"`      // "": the null sender
	To        smtp.Path `json:"to"`
	Original  smtp.Path `json:"original,omitzero"` // as it was given, if that is another
	Subject   string    `json:"subject,omitempty"`
	Login     string    `json:"login,omitempty"`
	Size      int64     `json:"size"` // octets of the message
	Arrived   time.Time `json:"arrived"`

	State       string    `json:"state"`              // "fresh", "deferred" or "held"
	Active      bool      `json:"active,omitempty"`   // it is in the window of a node: planned, due, or on its way
	Node        string    `json:"node,omitempty"`     // of which node, if several share the queue
	Suspect     bool      `json:"suspect,omitempty"`  // its next attempt may make a second copy
	Due         time.Time `json:"due,omitzero"`       // of deferred ones
	Destination string    `json:"destination"`        // under which it waits
	Attempts    int       `json:"attempts,omitempty"` // so far
	Last        *Last     `json:"last,omitempty"`
	Order       *Ordered  `json:"order,omitempty"`
}

// Last is what the last attempt came to.
type Last struct {
	At    time.Time `json:"at"`
	Reply string    `json:"reply,omitempty"` // on one line
	Local bool      `json:"local,omitempty"` // the reply is ours
	Host  string    `json:"host,omitempty"`
	Addr  string    `json:"addr,omitempty"`
	TLS   string    `json:"tls,omitempty"`
	Tried string    `json:"tried,omitempty"` // hosts that came before
}

// Ordered is an order that was given.
type Ordered struct {
	Verb   string    `json:"verb"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Via    *Hop      `json:"via,omitempty"`
}

// Hop is a mail.Hop.
type Hop struct {
	Route       string `json:"route"`
	Transport   string `json:"transport"`
	Destination string `json:"destination"`
	*Place
}

// Place is the setting that decided something.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String prints "file:line:column", and "" for nil.
func (p *Place) String() string {
	if p == nil {
		return ""
	}
	return mail.Origin{File: p.File, Line: p.Line, Column: p.Column}.String()
}

// placeOf is nil for what is built in.
func placeOf(o mail.Origin) *Place {
	if o.File == "" {
		return nil
	}
	return &Place{o.File, o.Line, o.Column}
}

func hopOf(h mail.Hop) *Hop { return &Hop{h.Route, h.Transport, h.Destination, placeOf(h.Origin)} }

// recipientOf tells of a recipient, and of who has it if several nodes share the queue.
func (a *API) recipientOf(it *spool.Item) Recipient {
	e, st := it.Envelope, &it.Standing
	to := &e.To[st.Recipient]
	r := Recipient{
		ID: e.ID, Recipient: st.Recipient, From: e.From, To: to.To, Subject: e.Subject, Login: e.Source.Login,
		Size: e.Size, Arrived: e.Arrived, State: stateWord(it.Place), Active: it.Owner != spool.Owner{},
		Suspect: st.Suspect, Destination: st.Destination, Attempts: st.Attempts,
		Last: lastOf(&st.Last), Order: orderedOf(&st.Order),
	}
	if a.opts.Node != "" {
		r.Node = it.Owner.Name
	}
	if it.Place == spool.Waiting {
		r.Due = st.Due
	}
	if to.Original != to.To {
		r.Original = to.Original
	}
	return r
}

func lastOf(o *mail.Outcome) *Last {
	if o.Fate == 0 {
		return nil
	}
	return &Last{At: o.At, Reply: replyLine(o.Reply), Local: o.Local, Host: o.Host, Addr: o.Addr, TLS: o.TLS, Tried: o.Tried}
}

func replyLine(r *smtp.Reply) string {
	if r == nil {
		return ""
	}
	return r.Error()
}

func orderedOf(o *spool.Order) *Ordered {
	if o.Verb == 0 {
		return nil
	}
	given := &Ordered{Verb: verbWord(o.Verb), At: o.At, By: o.By, Reason: o.Reason}
	if o.Verb == spool.Reroute {
		given.Via = hopOf(o.Via)
	}
	return given
}

// cursorText prints a place in the queue, "" for its start or end.
func cursorText(c spool.Cursor) string { return fmt.Sprintf("%s.%d", c.ID, c.Recipient) }

func parseCursor(s string) (c spool.Cursor, err error) {
	if s == "" {
		return c, nil
	}
	id, index, _ := strings.Cut(s, ".")
	if c.ID, err = mail.ParseID(id); err == nil {
		c.Recipient, err = strconv.Atoi(index)
	}
	if err != nil || c.Recipient < 0 {
		return spool.Cursor{}, wrong("%q is no place in the queue: take the \"next\" of a page", s)
	}
	return c, nil
}

// nextOf is where a page goes on.
func nextOf(p *spool.Page) string {
	if !p.More {
		return ""
	}
	return cursorText(p.Next)
}

// queryOf reads what of the queue is asked for.
func queryOf(filter, after string, most int) (q spool.Query, err error) {
	if q.Filter, err = ParseFilter(filter, time.Now()); err != nil {
		return q, wrong("%v", err)
	}
	q.Limit = most
	q.After, err = parseCursor(after)
	return q, err
}

func (a *API) list(r *http.Request) (any, error) {
	v, err := asked(r, "filter", "after", "limit")
	if err != nil {
		return nil, err
	}
	most, err := limit(v.Get("limit"))
	if err != nil {
		return nil, err
	}
	q, err := queryOf(v.Get("filter"), v.Get("after"), most)
	if err != nil {
		return nil, err
	}
	page, err := a.opts.Spool.List(r.Context(), q)
	if err != nil {
		return nil, err
	}
	list := QueuePage{Recipients: make([]Recipient, len(page.Items)), Next: nextOf(&page)}
	for i := range page.Items {
		list.Recipients[i] = a.recipientOf(&page.Items[i])
	}
	return list, nil
}

// OrderRequest is an order about recipients that a filter chooses, one page a
// request: what comes back says where to go on.
type OrderRequest struct {
	Verb   string `json:"verb"` // "hold", "release", "retry", "reroute", "drop" or "bounce"
	Filter string `json:"filter"`
	After  string `json:"after,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Reason string `json:"reason,omitempty"` // for the journal; of a bounce the sender is told it
	Via    string `json:"via,omitempty"`    // of a reroute: the name of a route, or HOST:PORT
}

// OrderResult is what became of an order.
type OrderResult struct {
	Chosen  int    `json:"chosen"`  // recipients that the filter chose
	Changed int    `json:"changed"` // those to whom the order made a difference
	Next    string `json:"next,omitempty"`
}

// maxReason is the longest reason, in octets.
const maxReason = 500

// verbs are the orders as an operator types them.
var verbs = map[string]spool.Verb{
	"hold": spool.Hold, "release": spool.Free, "retry": spool.Retry,
	"reroute": spool.Reroute, "drop": spool.Remove, "bounce": spool.Bounce,
}

func verbWord(v spool.Verb) string {
	for word, verb := range verbs {
		if verb == v {
			return word
		}
	}
	return v.String()
}

func (a *API) order(r *http.Request) (any, error) {
	var req OrderRequest
	if err := read(r, &req); err != nil {
		return nil, err
	}
	q, err := queryOf(req.Filter, req.After, max(req.Limit, 0))
	if err != nil {
		return nil, err
	}
	o, err := a.orderOf(r.Context(), &req)
	if err != nil {
		return nil, err
	}
	page, err := a.opts.Dispatch.Order(r.Context(), q, o)
	if err != nil {
		return nil, err
	}
	done := OrderResult{Chosen: len(page.Items), Next: nextOf(&page)}
	for i := range page.Items {
		if _, changed := o.Apply(page.Items[i].Standing); changed {
			done.Changed++
		}
	}
	a.opts.Log.Info("an operator gave an order", "order", req.Verb, "filter", PrintFilter(q.Filter), "by", o.By,
		"chosen", done.Chosen, "changed", done.Changed)
	return done, nil
}

func (a *API) orderOf(ctx context.Context, req *OrderRequest) (spool.Order, error) {
	o := spool.Order{Verb: verbs[req.Verb], At: time.Now(), By: operator(ctx), Reason: strings.TrimSpace(req.Reason)}
	switch {
	case o.Verb == 0:
		return o, wrong("there is no order %q", req.Verb)
	case len(o.Reason) > maxReason:
		return o, wrong("the reason has more than %d octets", maxReason)
	case strings.ContainsFunc(o.Reason, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return o, wrong("the reason is not on one line")
	case o.Verb != spool.Reroute && req.Via != "":
		return o, wrong("only a reroute goes by way of something")
	case o.Verb != spool.Reroute:
		return o, nil
	}
	var err error
	if o.Via, err = a.opts.Dispatch.Via(ctx, req.Via); err != nil && !errors.Is(err, dispatch.ErrStopped) {
		return o, wrong("%v", err)
	}
	return o, err
}
