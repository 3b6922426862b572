package admin

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Explanation is the way that mail would go now, choice by choice.
type Explanation struct {
	To    smtp.Path `json:"to"`
	From  smtp.Path `json:"from"` // "": the null sender
	Taken bool      `json:"taken"`
	Reply string    `json:"reply,omitempty"` // other than a plain 250
	Steps []Step    `json:"steps"`           // until it is taken or refused
	Ways  []Way     `json:"ways"`            // of those who get it; the first maxWays
	More  int       `json:"more,omitempty"`  // who are not told of
}

// Step is one choice.
type Step struct {
	Text  string   `json:"text"`
	At    *Place   `json:"at,omitempty"`    // the setting or line that decided
	Notes []string `json:"notes,omitempty"` // what belongs to it, a line each
}

// Way is how one of those who get the mail gets it.
type Way struct {
	To          smtp.Path `json:"to"`
	Into        string    `json:"into,omitempty"` // what an alias names in the place of somebody
	Steps       []Step    `json:"steps"`
	Hop         *Hop      `json:"hop,omitempty"`
	Hosts       []Host    `json:"hosts,omitempty"`
	Destination *Health   `json:"destination,omitempty"` // what is known of it
}

// Host is one that would take the mail.
type Host struct {
	Name       string   `json:"name"`
	Preference int      `json:"preference"`
	Addrs      []string `json:"addrs"`
	TLS        string   `json:"tls"`
}

const maxWays = 10

func (a *API) explain(r *http.Request) (any, error) {
	q, size, err := explainQuestion(r)
	if err != nil {
		return nil, err
	}
	in, err := a.opts.Intake.Explain(r.Context(), q)
	if err != nil {
		return nil, &Fault{http.StatusServiceUnavailable, "the directory does not answer: " + err.Error(), "senders are told 451 meanwhile"}
	}
	x := Explanation{To: q.To, From: q.From, Taken: !in.Refused, Reply: replyLine(in.Reply), Ways: []Way{}}
	x.Steps = append(x.Steps, cameFrom(&q, &in))
	steps, fits := a.sizeSteps(&q, size)
	x.Steps = append(x.Steps, steps...)
	if !fits {
		x.Taken, x.Reply = false, replyLine(smtp.Replyf(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 3, 4}, "It is too large for every listener"))
		return x, nil
	}
	x.Steps = append(x.Steps, residents(&in)...)
	x.Steps = append(x.Steps, verdict(&in))
	x.Steps = append(x.Steps, judges(&in)...)
	e := &mail.Envelope{From: q.From, To: in.To, Size: size, Arrived: time.Now(), Source: mail.Source{
		Login: q.Login, Client: netip.AddrPortFrom(q.Client, 0),
	}}
	for i := range in.To[:min(len(in.To), maxWays)] {
		out, err := a.opts.Dispatch.Explain(r.Context(), e, i)
		if err != nil {
			return nil, err
		}
		if out.Status != nil && a.shared() == nil { // a spool for many, of one
			out.Status.Shared = nil
		}
		x.Ways = append(x.Ways, wayOf(&in.To[i], &out))
	}
	x.More = len(in.To) - len(x.Ways)
	if at := a.holding(); at != nil && !in.Refused {
		x.Steps = append(x.Steps, Step{Text: "It waits: nothing is sent while the configuration says hold = true.", At: at})
	}
	return x, nil
}

// explainQuestion reads what is asked.
func explainQuestion(r *http.Request) (q intake.Question, size int64, err error) {
	v, err := asked(r, "to", "from", "client", "login", "size")
	if err != nil {
		return q, 0, err
	}
	if q.To, err = address(v.Get("to")); err != nil || q.To.IsNull() {
		return q, 0, wrong("to %q is no address", v.Get("to"))
	}
	if q.From, err = address(v.Get("from")); err != nil {
		return q, 0, wrong("from %q is no address", v.Get("from"))
	}
	if s := v.Get("client"); s != "" {
		if q.Client, err = netip.ParseAddr(s); err != nil {
			return q, 0, wrong("client %q is no IP address", s)
		}
	}
	if s := v.Get("size"); s != "" {
		if size, err = strconv.ParseInt(s, 10, 64); err != nil || size < 0 {
			return q, 0, wrong("size %q is no number of octets", s)
		}
	}
	q.Login = v.Get("login")
	return q, size, nil
}

// address reads an address with or without angle brackets; "" and "<>" are null.
func address(s string) (smtp.Path, error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	if s == "" {
		return smtp.Path{}, nil
	}
	return smtp.ParseMailbox(s)
}

// cameFrom tells on what terms the client is.
func cameFrom(q *intake.Question, x *intake.Explained) Step {
	switch {
	case isLocal(q):
		return Step{Text: "It comes from a program on this host, which may send to everybody."}
	case x.Network.IsValid():
		return Step{Text: fmt.Sprintf("%s is in the relay network %s, and may send to everybody.", q.Client, x.Network), At: placeOf(x.NetworkAt)}
	case q.Login != "":
		return Step{Text: fmt.Sprintf("%s has logged in, and may send to everybody.", q.Login)}
	}
	return Step{Text: fmt.Sprintf("%s is a stranger, who may send to those who live here.", q.Client)}
}

// isLocal: a program on this host brings the mail.
func isLocal(q *intake.Question) bool { return !q.Client.IsValid() && q.Login == "" }

// sizeSteps tells which listeners would take a message of that size, and whether
// any does.
func (a *API) sizeSteps(q *intake.Question, size int64) (steps []Step, fits bool) {
	if size == 0 || a.opts.Sizes == nil {
		return nil, true
	}
	local := isLocal(q)
	for _, l := range a.opts.Sizes() {
		if l.Local != local {
			continue
		}
		text := "The listener %q takes %d octets, of at most %d."
		if size > l.Octets {
			text = "The listener %q refuses %d octets: it takes %d at most."
		}
		fits = fits || size <= l.Octets
		steps = append(steps, Step{Text: fmt.Sprintf(text, l.Listener, size, l.Octets), At: placeOf(l.Origin)})
	}
	return steps, fits
}

// residents tells what the directory says.
func residents(x *intake.Explained) []Step {
	if len(x.Lines) == 0 {
		s := Step{Text: kindText(&x.Found), At: placeOf(x.Found.Origin)}
		if x.Found.Kind == directory.NotOurs && x.RelaysTo {
			s.Text += " Everybody may send there by us."
		}
		return []Step{s}
	}
	var steps []Step
	for i := range x.Lines {
		steps = append(steps, lineStep(&x.Lines[i]))
	}
	return steps
}

func kindText(r *directory.Resolution) string {
	switch r.Kind {
	case directory.NotOurs:
		if r.Address.Domain() == "" {
			return "It names no domain."
		}
		return "The domain " + r.Address.Domain() + " is not one of ours."
	case directory.Unknown:
		return "The domain " + r.Address.Domain() + " is ours, and nobody is known there by the name."
	}
	return fmt.Sprintf("<%s> is %s here.", r.Address, article(r.Kind))
}

func article(k directory.Kind) string {
	switch k {
	case directory.Mailbox:
		return "a mailbox"
	case directory.Alias:
		return "an alias"
	case directory.Forwarded:
		return "somebody who has moved, and to whom we send it on,"
	case directory.Moved:
		return "somebody who has moved"
	}
	return k.String()
}

// inStep is how many targets are told in the text of a step.
const inStep = 5

func lineStep(l *directory.Line) Step {
	s := Step{At: placeOf(l.Origin)}
	what := fmt.Sprintf("%q is %s", l.Name, article(l.Kind))
	switch {
	case l.Kind == directory.Moved || l.Kind == directory.Forwarded:
		s.Text = fmt.Sprintf("%q has moved to %s.", l.Name, strings.Join(l.To, ", "))
	case len(l.To) == 0:
		s.Text = what + " here."
	case len(l.To) <= inStep:
		s.Text = what + " for " + strings.Join(l.To, ", ") + "."
	default:
		s.Text = fmt.Sprintf("%s for %d:", what, len(l.To))
		s.Notes = l.To
	}
	return s
}

// verdict is what the client is told.
func verdict(x *intake.Explained) Step {
	switch {
	case x.Refused:
		return Step{Text: "It is refused: " + replyLine(x.Reply)}
	case x.Reply != nil:
		return Step{Text: "It is taken, and the sender told: " + replyLine(x.Reply)}
	case len(x.To) == 1:
		return Step{Text: "It is taken, for one recipient."}
	}
	return Step{Text: fmt.Sprintf("It is taken, for %d recipients.", len(x.To))}
}

// wayOf tells the way of one recipient.
func wayOf(to *mail.Recipient, x *dispatch.Explained) Way {
	w := Way{To: to.To, Into: to.Into}
	if to.Into != "" {
		w.Steps = append(w.Steps, Step{Text: fmt.Sprintf("The alias leads into %s: %s carries it.", to.Into, x.Hop.Transport), At: placeOf(to.Origin)})
	}
	for i := range x.Steps {
		w.Steps = append(w.Steps, routeStep(&x.Steps[i]))
	}
	switch {
	case !x.Routed:
		w.Steps = append(w.Steps, Step{Text: "No route fits. The mail waits until one is configured."})
		return w
	case !x.Carried:
		w.Steps = append(w.Steps, Step{Text: fmt.Sprintf("There is no transport %q. The mail waits until there is one.", x.Hop.Transport)})
		return w
	}
	w.Hop = hopOf(x.Hop)
	if x.Plan != nil {
		w.Steps = append(w.Steps, planStep(x.Plan))
		for _, h := range x.Plan.Hosts {
			w.Hosts = append(w.Hosts, hostOf(&h))
		}
		if f := x.Plan.Fault; f != nil && f.Fate.Final() {
			return w
		}
	}
	w.Steps = append(w.Steps, limitStep(x), stateStep(x), retryStep(&x.Settings))
	if x.Status != nil {
		h := healthOf(x.Hop, x.Status)
		w.Destination = &h
	}
	return w
}
