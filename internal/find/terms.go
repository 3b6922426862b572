package find

import (
	"strings"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// A term is what a message is found by: an octet that says what it is, and its text,
// folded.
const (
	fromAddress = 'F'
	fromDomain  = 'f'
	toAddress   = 'T'
	toDomain    = 't'
	subjectWord = 's'
	replyWord   = 'r'
	messageID   = 'i'
	client      = 'c'
	host        = 'h'
	login       = 'l'
	fate        = 'x'
)

// termsOf calls add with each term of an event, its kind apart; some come more than once.
func termsOf(e event.Event, add func(kind byte, text string)) {
	switch e := e.(type) {
	case *event.Accepted:
		accepted(e, add)
	case *event.Attempt:
		attempt(e, add)
	case *event.Decided:
		attempt((*event.Attempt)(e), add)
	case *event.Reported:
		add(fate, "reported")
	case *event.SecondCopy:
		add(fate, "suspect")
	case *event.Damaged:
		add(fate, "damaged")
	case *event.Ordered:
		address(toAddress, toDomain, e.To, add)
		add(login, e.By)
	}
}

func accepted(e *event.Accepted, add func(byte, string)) {
	address(fromAddress, fromDomain, e.From, add)
	for i := range e.To {
		address(toAddress, toDomain, e.To[i].To, add)
		address(toAddress, toDomain, e.To[i].Original, add)
	}
	add(messageID, strings.Trim(e.MessageID, "<>"))
	add(login, e.Source.Login)
	if e.Source.Client.IsValid() {
		add(client, e.Source.Client.Addr().String())
	}
	words(e.Subject, func(w string) { add(subjectWord, w) })
}

func attempt(e *event.Attempt, add func(byte, string)) {
	o := &e.Outcome
	address(toAddress, toDomain, e.To, add)
	add(fate, o.Fate.String())
	add(host, o.Host)
	if o.Reply != nil && (o.Fate != mail.Delivered || !o.Local) {
		words(o.Reply.Error(), func(w string) { add(replyWord, w) })
	}
}

func address(whole, domain byte, p smtp.Path, add func(byte, string)) {
	if p.IsNull() {
		return
	}
	add(whole, p.String())
	add(domain, p.Domain())
}
