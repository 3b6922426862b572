package event

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Line prints the entry for a log, without time and line end: the ID, a word
// that says what happened, and key=value pairs. A value that is empty is left
// out; one with anything in it but letters, digits and the punctuation of
// addresses is quoted as in Go. So whatever a stranger put into a message or a
// reply, an entry is one line of printable characters, and its keys are ours.
func (e *Entry) Line() string {
	l := line{make([]byte, 0, 400)}
	if !e.ID.IsZero() {
		l.b = append(append(l.b, e.ID.String()...), ' ')
	}
	e.Event.line(&l)
	return string(l.b)
}

// AppendWords appends to b what Line prints behind the ID.
func (e *Entry) AppendWords(b []byte) []byte {
	l := line{b}
	e.Event.line(&l)
	return l.b
}

type line struct{ b []byte }

func (l *line) word(w string) { l.b = append(l.b, w...) }

func (l *line) pair(key, value string) {
	if value == "" {
		return
	}
	l.key(key)
	if isPlain(value) {
		l.b = append(l.b, value...)
	} else {
		l.b = strconv.AppendQuote(l.b, value)
	}
}

func (l *line) key(key string) { l.b = append(append(append(l.b, ' '), key...), '=') }

// isPlain: it can stand without quotes.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s) && strings.IndexFunc(s[i:], notPlain) < 0
		}
		if !plain[s[i]] {
			return false
		}
	}
	return true
}

func notPlain(r rune) bool {
	if r < utf8.RuneSelf {
		return !plain[r]
	}
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// plain are the octets of ASCII that stand without quotes: there are many in a
// line, and a line for each step of each message.
var plain = func() (is [utf8.RuneSelf]bool) {
	const all = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz<>@.-+_/:[],!#$%&*?^{|}~"
	for i := range len(all) {
		is[all[i]] = true
	}
	return is
}()

func (l *line) number(key string, n int64) {
	if n != 0 {
		l.key(key)
		l.b = strconv.AppendInt(l.b, n, 10)
	}
}

func (l *line) path(key string, p smtp.Path) {
	if !isPlain(p.Local()) || !isPlain(p.Domain()) {
		l.pair(key, "<"+p.String()+">")
		return
	}
	l.key(key)
	l.b, _ = p.AppendText(append(l.b, '<')) // it has no errors
	l.b = append(l.b, '>')
}

func (l *line) optional(key string, p smtp.Path) {
	if !p.IsNull() {
		l.path(key, p)
	}
}

func (l *line) flag(name string, is bool) {
	if is {
		l.b = append(append(l.b, ' '), name...)
	}
}

func (l *line) reply(r *smtp.Reply) {
	if r != nil {
		l.pair("reply", r.Error())
	}
}

func (l *line) time(key string, t time.Time) {
	if !t.IsZero() {
		l.pair(key, t.UTC().Format(time.RFC3339))
	}
}

func (l *line) source(s *mail.Source) {
	switch c := s.Client; {
	case c.Addr().Zone() != "": // which may be anything
		l.pair("client", c.String())
	case c.IsValid():
		l.key("client")
		l.b = c.AppendTo(l.b)
	}
	l.pair("listener", s.Listener)
	l.pair("hello", s.Hello)
	l.pair("protocol", s.Protocol)
	l.pair("tls", s.TLS)
	l.pair("login", s.Login)
}

func (l *line) origin(o mail.Origin) {
	if o != (mail.Origin{}) {
		l.pair("by", o.String())
	}
}

func (l *line) hop(h *mail.Hop) {
	l.pair("route", h.Route)
	l.pair("transport", h.Transport)
	l.pair("destination", h.Destination)
}

// inLine is how many recipients stand in a line.
const inLine = 20

func (a *Accepted) line(l *line) {
	l.word("accepted")
	l.path("from", a.From)
	for i := range min(len(a.To), inLine) {
		l.path("to", a.To[i].To)
		l.optional("for", a.To[i].Original)
	}
	l.number("more", int64(len(a.To)-min(len(a.To), inLine)+a.More))
	l.number("size", a.Size)
	l.source(&a.Source)
	l.pair("message-id", a.MessageID)
	l.pair("subject", a.Subject)
	l.pair("repaired", a.Repaired)
}

func (r *Refused) line(l *line) {
	l.word("refused")
	l.pair("stage", r.Stage.String())
	if r.Stage != smtp.Greeting {
		l.path("from", r.From)
	}
	l.optional("to", r.To)
	l.source(&r.Source)
	l.reply(r.Reply)
	l.pair("check", r.Check)
	l.pair("why", r.Why)
	l.origin(r.Origin)
}

func (a *Attempt) line(l *line) {
	l.word(a.Outcome.Fate.String())
	a.rest(l)
}

func (d *Decided) line(l *line) {
	l.word("decided")
	l.pair("fate", d.Outcome.Fate.String())
	(*Attempt)(d).rest(l)
}

func (a *Attempt) rest(l *line) {
	o := &a.Outcome
	l.path("to", a.To)
	l.hop(&a.Hop)
	l.pair("host", o.Host)
	l.pair("addr", o.Addr)
	l.pair("tls", o.TLS)
	if o.Took > 0 {
		l.pair("took", o.Took.Round(time.Millisecond).String())
	}
	l.time("next", a.Next)
	l.pair("report", a.Owed.String())
	l.flag("unsure", o.Unsure)
	l.flag("our-limit", o.OurLimit)
	l.flag("host-down", o.HostDown)
	l.flag("encoded", o.Encoded)
	l.flag("local", o.Local)
	l.reply(o.Reply)
	l.pair("tried", o.Tried)
}

func (r *Reported) line(l *line) {
	if r.Report.IsZero() {
		l.word("unreported")
	} else {
		l.word("reported")
		l.pair("as", r.Report.String())
	}
	l.path("to", r.To)
	l.pair("action", r.Action.String())
	l.number("recipients", int64(len(r.Recipients)))
	l.pair("why", r.Dropped)
}

func (s *SecondCopy) line(l *line) {
	l.word("possible-second-copy")
	l.path("to", s.To)
	l.pair("why", s.Why)
}

func (o *Ordered) line(l *line) {
	l.word("ordered")
	l.pair("order", o.Order)
	l.path("to", o.To)
	l.hop(&o.Via)
	l.pair("by", o.By)
	l.pair("reason", o.Reason)
}

func (d *Damaged) line(l *line) {
	l.word("damaged")
	l.pair("what", d.What)
}

func (f *LoginFailed) line(l *line) {
	l.word("login-failed")
	l.pair("account", f.Account)
	l.pair("mechanism", f.Mechanism)
	l.pair("why", f.Why)
	l.source(&f.Source)
	l.reply(f.Reply)
}

func (j *Judged) line(l *line) {
	l.word("judged")
	l.pair("action", j.Action)
	for i := range j.Opinions {
		o := &j.Opinions[i]
		l.pair("check", o.Check)
		l.pair("stage", o.Stage.String())
		l.pair("wants", o.Action)
		l.pair("why", o.Why)
		l.origin(o.Origin)
		l.pair("results", o.Results)
		l.pair("at-most", o.AtMost)
		l.origin(o.Limit)
	}
	l.pair("changed", j.Changed)
}
