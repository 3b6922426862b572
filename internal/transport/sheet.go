package transport

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Sheet is the outcomes of one delivery while they are found out. It has one
// owner. Recipients are named by their position in Delivery.Recipients.
type Sheet struct {
	d     *Delivery
	began time.Time
	all   []mail.Outcome
}

// NewSheet begins one in which nothing is decided.
func NewSheet(d *Delivery) *Sheet {
	s := &Sheet{d: d, began: time.Now(), all: make([]mail.Outcome, len(d.Recipients))}
	for i, r := range d.Recipients {
		s.all[i].Recipient = r
	}
	return s
}

// Open returns the positions that are not decided.
func (s *Sheet) Open() []int {
	var open []int
	for i := range s.all {
		if s.all[i].Fate == 0 {
			open = append(open, i)
		}
	}
	return open
}

// Decide sets the outcome at a position; its Recipient, At and Took are filled in.
// What is decided stays: a second decision is dropped.
func (s *Sheet) Decide(position int, o mail.Outcome) {
	was := &s.all[position]
	if was.Fate != 0 || o.Fate == 0 {
		return
	}
	o.Recipient, o.At = was.Recipient, time.Now()
	o.Took = o.At.Sub(s.began)
	*was = o
}

// DecideAll gives an outcome to all that are not decided.
func (s *Sheet) DecideAll(o mail.Outcome) {
	for _, i := range s.Open() {
		s.Decide(i, o)
	}
}

// Outcomes returns all outcomes, in the order of Delivery.Recipients. Those that
// are still open are deferred.
func (s *Sheet) Outcomes() []mail.Outcome {
	s.DecideAll(mail.Outcome{
		Fate: mail.Deferred, Local: true,
		Reply: Local(smtp.CodeLocalError, smtp.EnhancedCode{4, 3, 0}, "The recipient was not tried"),
	})
	return s.all
}
