package dsn

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
)

// The second part of a report, for programs (RFC 3464, 2).

// global reports whether the second part has to be in UTF-8, which only those
// understand who take SMTPUTF8 (RFC 6533, 4.1).
func (r *Report) global() bool {
	if !r.UTF8 {
		return false
	}
	for _, to := range r.Recipients {
		if !isASCII(to.Final.Addr + to.Original.Addr) {
			return true
		}
	}
	return false
}

func (p *printer) statusPart(r *Report, global bool) {
	s := statusPrinter{p, global}
	if global {
		p.part("message/global-delivery-status", "Delivery report", "8bit")
	} else {
		p.part("message/delivery-status", "Delivery report", "")
	}
	s.field("Reporting-MTA", "dns; "+r.MTA)
	s.field("Original-Envelope-Id", r.EnvID)
	s.typed("Received-From-MTA", "dns", r.Client)
	s.date("Arrival-Date", r.Arrived)
	s.field("X-Posthouse-ID", r.Through)
	for i := range r.Recipients {
		p.printf("\r\n")
		s.recipient(&r.Recipients[i])
	}
}

// statusPrinter prints the fields of the second part, in ASCII or in UTF-8.
type statusPrinter struct {
	p      *printer
	global bool
}

func (s statusPrinter) recipient(to *Recipient) {
	s.address("Original-Recipient", to.Original)
	s.address("Final-Recipient", to.Final)
	s.field("Action", to.Action.String())
	s.field("Status", orElse(to.Status.String(), "5.0.0"))
	s.typed("Remote-MTA", "dns", to.Remote)
	s.typed("Diagnostic-Code", orElse(to.Diagnostic.Type, ourWords), clip(to.Diagnostic.Text, clipped))
	s.date("Last-Attempt-Date", to.Attempted)
	if to.Action == mail.ReportDelayed { // nor anywhere else: RFC 3464, 2.3.9
		s.date("Will-Retry-Until", to.Until)
	}
}

func (s statusPrinter) typed(name, kind, value string) {
	if value != "" {
		s.field(name, kind+"; "+value)
	}
}

func (s statusPrinter) date(name string, at time.Time) {
	if !at.IsZero() {
		s.field(name, message.FormatDate(at))
	}
}

// address prints an address with its type; one in UTF-8 where only ASCII may
// stand as RFC 6533, 3 has it.
func (s statusPrinter) address(name string, a smtp.ORcpt) {
	switch {
	case a.Addr == "":
	case !s.global && !isASCII(a.Addr):
		s.field(name, "utf-8;"+xtext(clean(a.Addr)))
	default:
		s.field(name, orElse(a.Type, "rfc822")+";"+a.Addr)
	}
}

// field prints a field, folded at its spaces where it would be longer than a
// line should be. Without a value there is no field.
func (s statusPrinter) field(name, value string) {
	value = clean(value)
	if !s.global {
		value = asciiOnly(value)
	}
	if value == "" {
		return
	}
	const width = 78
	s.p.printf("%s:", name)
	col := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		word = clip(word, clipped) // a line has 998 octets at most
		// A line of nothing but white space is not a folded one: RFC 5322, 3.2.2.
		if n := utf8.RuneCountInString(word); col+1+n > width && col > 1 && word != "" {
			s.p.printf("\r\n")
			col = 0
		}
		s.p.printf(" %s", word)
		col += 1 + utf8.RuneCountInString(word)
	}
	s.p.printf("\r\n")
}
