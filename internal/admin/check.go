package admin

import (
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// CheckLine is a line of the answer to a check: how far it has come, or what came
// of it. The last has Done or Fault.
type CheckLine struct {
	Read  int64    `json:"read"`            // messages so far
	Total int64    `json:"total,omitempty"` // about so many
	Done  *Checked `json:"done,omitempty"`
	Fault *Fault   `json:"fault,omitempty"`
}

// Checked is what a check has read, and what was wrong with it.
type Checked struct {
	Messages    int64     `json:"messages"`
	Recipients  int64     `json:"recipients"`
	Bytes       int64     `json:"bytes"` // of messages
	Files       int64     `json:"files"` // bodies that are files of their own
	Facts       int64     `json:"facts"` // entries of the journal
	Quarantined int64     `json:"quarantined"`
	Problems    []Problem `json:"problems"`
	More        bool      `json:"more,omitempty"` // there are more problems
	Damaged     []Damage  `json:"damaged"`        // in quarantine; the first of them
}

// Problem is something that is not as it should be.
type Problem struct {
	ID   *mail.ID `json:"id,omitempty"` // the message that it is about
	What string   `json:"what"`
}

// CheckedOf puts what an engine says of itself into the form of an answer.
func CheckedOf(c *spool.Checked, quarantine []spool.Damage) *Checked {
	out := &Checked{
		Messages: c.Messages, Recipients: c.Recipients, Bytes: c.Bytes, Files: c.Files, Facts: c.Facts,
		Quarantined: c.Quarantined, More: c.More,
		Problems: make([]Problem, len(c.Problems)), Damaged: make([]Damage, len(quarantine)),
	}
	for i := range c.Problems {
		out.Problems[i].What = c.Problems[i].What
		if id := c.Problems[i].ID; !id.IsZero() {
			out.Problems[i].ID = &id
		}
	}
	for i := range quarantine {
		out.Damaged[i] = Damage(quarantine[i])
	}
	return out
}

// check reads the whole spool, and tells how far it has come.
func (a *API) check(w http.ResponseWriter, r *http.Request) {
	checker, can := a.opts.Spool.(Checker)
	if !can {
		a.fault(w, r, &Fault{http.StatusNotImplemented, "this spool cannot be checked", "it is kept in memory"})
		return
	}
	select {
	case a.checking <- struct{}{}:
	default:
		a.fault(w, r, &Fault{http.StatusServiceUnavailable, "a check is under way", "wait until it has come to its end"})
		return
	}
	a.checked(w, r, checker)() // the last word may bring the next check
}

// checked does the check, makes room for the next, and returns what says its last word.
func (a *API) checked(w http.ResponseWriter, r *http.Request, checker Checker) (last func()) {
	defer func() { <-a.checking }()
	stats, err := a.opts.Spool.Stats(r.Context())
	if err != nil {
		return func() { a.fault(w, r, err) }
	}
	header(w, "application/x-ndjson")
	c, enc := http.NewResponseController(w), encoder(w)
	tell := func(line CheckLine) {
		_ = c.SetWriteDeadline(time.Now().Add(pace)) // not every server can
		_ = enc.Encode(line)                         // who does not listen ends the context
		_ = c.Flush()
	}
	tell(CheckLine{Total: stats.Messages})
	found, err := checker.Check(r.Context(), func(n int64) { tell(CheckLine{Read: n, Total: stats.Messages}) })
	var quarantine []spool.Damage
	if err == nil {
		quarantine, err = a.opts.Spool.Damaged(r.Context(), mail.ID{}, spool.MaxPage)
	}
	line := CheckLine{Read: found.Messages, Total: stats.Messages}
	if err != nil {
		line = CheckLine{Fault: a.faultOf(r, err)}
	} else {
		line.Done = CheckedOf(&found, quarantine)
	}
	return func() { tell(line) }
}
