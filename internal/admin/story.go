package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// Story is what the journal tells of a message: its arrival, and then what
// happened, by time. It is a part if it has a Next.
type Story struct {
	ID     mail.ID `json:"id"`
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
}

// Event is one of them. What says which; fields that do not belong to it are zero.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // "accepted", "attempt", "decided", "reported", "second copy", "ordered", "damaged", "judged"

	// Accepted.
	From       *smtp.Path  `json:"from,omitempty"` // "": the null sender
	Recipients []Addressee `json:"recipients,omitempty"`
	More       int         `json:"more,omitempty"` // recipients that are not listed
	Size       int64       `json:"size,omitempty"`
	Source     *Source     `json:"source,omitempty"`
	Subject    string      `json:"subject,omitempty"`
	MessageID  string      `json:"message_id,omitempty"`

	// All others that are about one recipient; of a report the sender.
	To        smtp.Path `json:"to,omitzero"`
	Recipient *int      `json:"recipient,omitempty"`

	// Attempt and decided.
	Fate    string    `json:"fate,omitempty"`
	Hop     *Hop      `json:"hop,omitempty"` // and of an order to reroute
	Host    string    `json:"host,omitempty"`
	Addr    string    `json:"addr,omitempty"`
	TLS     string    `json:"tls,omitempty"`
	Stage   string    `json:"stage,omitempty"`
	Reply   string    `json:"reply,omitempty"`
	Local   bool      `json:"local,omitempty"` // the reply is ours
	Tried   string    `json:"tried,omitempty"`
	Took    int64     `json:"took_ms,omitempty"`
	Unsure  bool      `json:"unsure,omitempty"`
	Again   time.Time `json:"again,omitzero"` // when it is looked at next
	Owed    string    `json:"owed,omitempty"` // the report that its sender is owed
	Limit   bool      `json:"our_limit,omitempty"`
	Down    bool      `json:"host_down,omitempty"`
	Encoded bool      `json:"encoded,omitempty"`

	// Reported.
	Report *mail.ID `json:"report,omitempty"` // the message that it is
	Action string   `json:"action,omitempty"`
	Count  int      `json:"count,omitempty"` // recipients that it tells of

	// Ordered.
	Order  string `json:"order,omitempty"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Judged, and then Action is what was done.
	Opinions []Opinion `json:"opinions,omitempty"`
	Changed  string    `json:"changed,omitempty"` // what is not as it came in

	Why string `json:"why,omitempty"` // of a second copy, of damage, and of a report that is not sent
}

// Addressee is a recipient of a message that was accepted.
type Addressee struct {
	To       smtp.Path `json:"to"`
	Original smtp.Path `json:"original,omitzero"`
}

func (a *API) story(r *http.Request) (any, error) {
	v, err := asked(r, "after", "limit")
	if err != nil {
		return nil, err
	}
	id, err := a.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	q := spool.FactQuery{ID: id}
	if q.Limit, err = limit(v.Get("limit")); err != nil {
		return nil, err
	}
	if s := v.Get("after"); s != "" {
		if q.After, err = strconv.ParseUint(s, 10, 64); err != nil {
			return nil, wrong("%q is no place in the journal: take the \"next\" of a story", s)
		}
	}
	page, err := a.opts.Spool.Facts(r.Context(), q)
	if err != nil {
		return nil, err
	}
	if len(page.Facts) == 0 && q.After == 0 {
		return nil, &Fault{http.StatusNotFound, "the journal knows nothing of " + id.String(), "it forgets what is older than the configuration says: journal { keep, size }"}
	}
	return a.tell(id, &page), nil
}

// tell makes a story of facts. What this program does not understand was written
// by a later one.
func (a *API) tell(id mail.ID, page *spool.FactPage) Story {
	s := Story{ID: id, Events: []Event{}}
	var entries []event.Entry
	for _, f := range page.Facts {
		e, err := event.Parse(f.Data)
		if err != nil {
			a.opts.Log.Warn("an entry of the journal cannot be read", "id", id, "error", err)
			continue
		}
		entries = append(entries, event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e})
	}
	for _, e := range event.Story(entries) {
		s.Events = append(s.Events, eventOf(&e))
	}
	if page.More {
		s.Next = strconv.FormatUint(page.Facts[len(page.Facts)-1].Seq, 10)
	}
	return s
}

func eventOf(e *event.Entry) Event {
	out := Event{At: e.At}
	switch v := e.Event.(type) {
	case *event.Accepted:
		out.accepted(v)
	case *event.Attempt:
		out.What = "attempt"
		out.attempt(v)
	case *event.Decided:
		out.What = "decided"
		out.attempt((*event.Attempt)(v))
	case *event.Reported:
		out.reported(v)
	case *event.SecondCopy:
		out.What, out.To, out.Recipient, out.Why = "second copy", v.To, &v.Recipient, v.Why
	case *event.Ordered:
		out.What, out.To, out.Recipient = "ordered", v.To, &v.Recipient
		out.Order, out.By, out.Reason = orderWord(v.Order), v.By, v.Reason
		if v.Via != (mail.Hop{}) {
			out.Hop = hopOf(v.Via)
		}
	case *event.Damaged:
		out.What, out.Why = "damaged", v.What
	case *event.Judged:
		out.judged(v)
	default:
		out.What = e.Line()
	}
	return out
}

// orderWord is an order as an operator types it, of one as the spool calls it.
func orderWord(s string) string {
	for word, verb := range verbs {
		if verb.String() == s {
			return word
		}
	}
	return s
}

func (out *Event) accepted(v *event.Accepted) {
	source := sourceOf(&v.Source)
	out.What, out.From, out.More, out.Size, out.Source = "accepted", &v.From, v.More, v.Size, &source
	out.Subject, out.MessageID = v.Subject, v.MessageID
	for _, to := range v.To {
		out.Recipients = append(out.Recipients, Addressee(to))
	}
}

func (out *Event) attempt(v *event.Attempt) {
	o := &v.Outcome
	out.To, out.Recipient, out.Fate, out.Hop = v.To, &o.Recipient, o.Fate.String(), hopOf(v.Hop)
	out.Host, out.Addr, out.TLS, out.Tried = o.Host, o.Addr, o.TLS, o.Tried
	out.Reply, out.Local, out.Took = replyLine(o.Reply), o.Local, o.Took.Milliseconds()
	out.Unsure, out.Limit, out.Down, out.Encoded = o.Unsure, o.OurLimit, o.HostDown, o.Encoded
	out.Again, out.Owed = v.Next, v.Owed.String()
	if o.Stage != 0 {
		out.Stage = o.Stage.String()
	}
}

func (out *Event) reported(v *event.Reported) {
	out.What, out.To, out.Action, out.Count, out.Why = "reported", v.To, v.Action.String(), len(v.Recipients), v.Dropped
	if !v.Report.IsZero() {
		out.Report = &v.Report
	}
}
