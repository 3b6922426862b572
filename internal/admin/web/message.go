package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/posthouse/posthouse/internal/admin"
)

// messageData is the life of a message.
type messageData struct {
	ID         string
	Message    *admin.Message // nil: it is not in the queue any more
	Accepted   *admin.Event   // nil: the journal does not know how it came
	Events     []admin.Event  // all of them
	Next       string         // there are more, behind this place of the journal
	Done       *done
	Subject    string
	From       string
	Recipients int
	Session    uint64          // in which it came; 0: that is not known any more
	out        []admin.Session // by which it came or was to go, as far as they are kept
}

// maxEvents is how many events a page shows.
const maxEvents = 500

func (c *Console) messagePage(v *visit) (any, error) {
	d := messageData{ID: v.PathValue("id"), Done: doneOf(v.URL.Query().Get("done"))}
	m, err := get[admin.Message](v, "/v1/messages/"+url.PathEscape(d.ID), nil)
	switch {
	case err == nil:
		d.queued(&m)
	case !isMissing(err):
		return nil, err
	}
	if err := d.read(v); err != nil && (d.Message == nil || !isMissing(err)) {
		return nil, err
	}
	return &d, d.came(v)
}

// came finds the sessions in which the message came and was to go, if they are still kept.
func (d *messageData) came(v *visit) error {
	if !v.console.offers.sessions {
		return nil
	}
	at := "/v1/messages/" + url.PathEscape(d.ID)
	came, err := get[admin.Session](v, at+"/session", nil)
	if err != nil && !isMissing(err) {
		return err
	}
	d.Session = came.ID
	by, err := get[admin.CarriedBy](v, at+"/sessions", nil)
	d.out = by.Sessions
	return err
}

// By is the number of the session in which an attempt was made: the last one with that host
// that had begun by then. 0: it is not known any more.
func (d *messageData) By(e *admin.Event) (number uint64) {
	for i := range d.out {
		if s := &d.out[i]; e.What == "attempt" && s.Direction == "out" && s.Peer == e.Addr && !s.Started.After(e.At) {
			number = s.ID
		}
	}
	return number
}

// Title is the subject.
func (d *messageData) Title() string { return d.Subject }

func (d *messageData) queued(m *admin.Message) {
	d.Message, d.ID, d.Subject, d.From, d.Recipients = m, m.ID.String(), m.Subject, m.From.String(), m.Addressed
}

// read reads the story of a message, as far as a page shows it.
func (d *messageData) read(v *visit) error {
	after := v.URL.Query().Get("after")
	for len(d.Events) < maxEvents {
		s, err := get[admin.Story](v, "/v1/messages/"+url.PathEscape(d.ID)+"/story",
			values("after", after, "limit", strconv.Itoa(maxEvents)))
		if err != nil {
			return err
		}
		d.ID = s.ID.String()
		d.Events = append(d.Events, s.Events...)
		if d.Next = s.Next; d.Next == "" {
			break
		}
		after = s.Next
	}
	for i := range d.Events {
		if d.Events[i].What == "accepted" {
			d.arrived(&d.Events[i])
			break
		}
	}
	return nil
}

func (d *messageData) arrived(e *admin.Event) {
	d.Accepted = e
	d.Subject, d.Recipients = e.Subject, len(e.Recipients)+e.More
	if e.From != nil {
		d.From = e.From.String()
	}
}

// Mood is the colour of an event, and Icon its picture.
func (d *messageData) Mood(e *admin.Event) string {
	switch e.What {
	case "attempt", "decided":
		return moodOf(e.Fate)
	case "second copy", "damaged":
		return "bad"
	case "judged":
		return moodOfOpinion(e.Action)
	case "reported":
		return "warn"
	case "ordered":
		return "info"
	}
	return "ok"
}

func moodOf(fate string) string {
	switch fate {
	case "delivered", "relayed", "discarded", "expanded":
		return "ok"
	case "failed", "expired":
		return "bad"
	case "deferred":
		return "warn"
	}
	return "info"
}

// moodOfOpinion is the colour of what a check wants, or of what was done.
func moodOfOpinion(wants string) string {
	switch wants {
	case "pass", "mark":
		return "ok"
	case "reject", "discard":
		return "bad"
	}
	return "warn"
}

// Icon is the picture of an event.
func (d *messageData) Icon(e *admin.Event) string {
	switch {
	case e.What == "accepted":
		return "in"
	case e.What == "ordered":
		return "order"
	case e.What == "judged":
		return "find"
	case e.What == "reported":
		return "out"
	}
	switch d.Mood(e) {
	case "ok":
		return "ok"
	case "warn":
		return "wait"
	}
	return "bad"
}

// explainData is what somebody asks, and how mail would go.
type explainData struct {
	To, From, Client, Login, Size string
	Answer                        *admin.Explanation // nil: nothing is asked yet
	Problem                       string
}

func (c *Console) explainPage(v *visit) (any, error) {
	q := v.URL.Query()
	d := explainData{To: q.Get("to"), From: q.Get("from"), Client: q.Get("client"), Login: q.Get("login"), Size: q.Get("size")}
	if d.To == "" {
		return &d, nil
	}
	x, err := get[admin.Explanation](v, "/v1/explain", values("to", d.To, "from", d.From, "client", d.Client, "login", d.Login, "size", d.Size))
	if err != nil {
		f := c.faultOf(v, err)
		if f.status != http.StatusBadRequest && f.status != http.StatusServiceUnavailable {
			return nil, err
		}
		d.Problem = f.message
		return &d, nil
	}
	d.Answer = &x
	return &d, nil
}
