package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/session"
)

// Sessions is what is asked of a [session.Registry].
type Sessions interface {
	List() []session.View
	Ended() []session.View
	Find(number uint64) (session.View, []session.Line, bool)
	Of(id mail.ID) (session.View, []session.Line, bool)
	Carried(id mail.ID) []session.View
	Follow(number uint64) (*session.Follower, bool)
	Cut(number uint64) bool
	Count() (in, out int)
}

// SessionPage is the sessions that live, the oldest first, and the last ones that have
// failed, the newest first.
type SessionPage struct {
	Live   []Session `json:"live"`
	Failed []Session `json:"failed"`
}

// Session is one connection on which SMTP is spoken.
type Session struct {
	ID        uint64      `json:"id"`
	Direction string      `json:"direction"`      // "in", "out"
	Name      string      `json:"name"`           // of the listener, or of the host that we called
	Peer      string      `json:"peer,omitempty"` // the other side's address
	Hello     string      `json:"hello,omitempty"`
	State     string      `json:"state"`
	Started   time.Time   `json:"started"`
	Since     time.Time   `json:"since"` // of the last line or text
	Ended     time.Time   `json:"ended,omitzero"`
	TLS       string      `json:"tls,omitempty"`
	LinesIn   int64       `json:"lines_in"` // from the other side
	LinesOut  int64       `json:"lines_out"`
	BytesIn   int64       `json:"bytes_in"`
	BytesOut  int64       `json:"bytes_out"`
	Messages  int         `json:"messages"` // that were accepted
	Last      string      `json:"last,omitempty"`
	LastFrom  string      `json:"last_from,omitempty"` // "C", "S"
	Failure   string      `json:"failure,omitempty"`
	Carried   []mail.ID   `json:"carried,omitempty"` // the last messages that came in by it or were to go out, if it was asked for alone
	Lines     []TraceLine `json:"lines,omitempty"`   // if it was asked for alone
}

// TraceLine is a line of a session, or what stands in the place of lines.
type TraceLine struct {
	At     time.Time `json:"at,omitzero"`
	From   string    `json:"from"` // "C", "S", or "-": a remark of the house
	Text   string    `json:"text,omitempty"`
	Octets int64     `json:"octets,omitempty"` // of the text of a message, in the place of a line
	Missed int64     `json:"missed,omitempty"` // lines before the next one that are not kept
}

func sessionOf(v *session.View) Session {
	s := Session{
		ID: v.ID, Direction: v.Direction.String(), Name: v.Name, Hello: v.Hello, State: v.State.String(),
		Started: v.Started, Since: v.Since, Ended: v.Ended, TLS: v.TLS,
		LinesIn: v.LinesIn, LinesOut: v.LinesOut, BytesIn: v.BytesIn, BytesOut: v.BytesOut,
		Messages: v.Messages, Last: v.Last, LastFrom: v.LastFrom.String(), Failure: v.Failure, Carried: v.Carried,
	}
	if v.Peer.IsValid() {
		s.Peer = v.Peer.String()
	}
	return s
}

func traceLineOf(l *session.Line) TraceLine {
	return TraceLine{At: l.At, From: l.From.String(), Text: l.Text, Octets: l.Octets, Missed: l.Missed}
}

func sessionsOf(views []session.View) []Session {
	list := make([]Session, len(views))
	for i := range views {
		list[i] = sessionOf(&views[i])
	}
	return list
}

func (a *API) sessions(r *http.Request) (any, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	return SessionPage{Live: sessionsOf(a.opts.Sessions.List()), Failed: sessionsOf(a.opts.Sessions.Ended())}, nil
}

func (a *API) session(r *http.Request) (any, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	number, err := sessionNumber(r)
	if err != nil {
		return nil, err
	}
	v, lines, known := a.opts.Sessions.Find(number)
	if !known {
		return nil, noSession(number)
	}
	return withLines(&v, lines), nil
}

// sessionOfMessage is the one by which a message came in.
func (a *API) sessionOfMessage(r *http.Request) (any, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	id, err := a.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v, lines, known := a.opts.Sessions.Of(id)
	if !known {
		return nil, &Fault{http.StatusNotFound, "the session of " + id.String() + " is not known any more", "only the last ones are kept, while posthouse runs"}
	}
	return withLines(&v, lines), nil
}

// CarriedBy is the sessions by which a message came in, and was to go out: the first one
// first, as far as they are kept.
type CarriedBy struct {
	Sessions []Session `json:"sessions"`
}

func (a *API) sessionsOfMessage(r *http.Request) (any, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	id, err := a.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return CarriedBy{sessionsOf(a.opts.Sessions.Carried(id))}, nil
}

func withLines(v *session.View, lines []session.Line) Session {
	s := sessionOf(v)
	s.Lines = make([]TraceLine, len(lines))
	for i := range lines {
		s.Lines[i] = traceLineOf(&lines[i])
	}
	return s
}

func sessionNumber(r *http.Request) (uint64, error) {
	number, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, wrong("%q is no number of a session", r.PathValue("id"))
	}
	return number, nil
}

func noSession(number uint64) *Fault {
	return &Fault{http.StatusNotFound, "there is no session " + strconv.FormatUint(number, 10), "posthouse sessions list tells those that there are"}
}

// followSession tells the lines of a session, and then how it has ended.
func (a *API) followSession(r *http.Request) (func(context.Context, *stream) error, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	number, err := sessionNumber(r)
	if err != nil {
		return nil, err
	}
	f, known := a.opts.Sessions.Follow(number)
	if !known {
		return nil, noSession(number)
	}
	return func(ctx context.Context, s *stream) error {
		defer f.Close()
		return follow(ctx, s, f)
	}, nil
}

func follow(ctx context.Context, s *stream, f *session.Follower) error {
	for {
		lines, err := nextLines(ctx, f)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			err = s.breathe()
		case errors.Is(err, io.EOF):
			v := f.View()
			return s.send("end", "", sessionOf(&v))
		}
		for i := range lines {
			if err == nil {
				err = s.send("line", "", traceLineOf(&lines[i]))
			}
		}
		if err != nil || !s.pause(ctx) {
			return err
		}
	}
}

func nextLines(ctx context.Context, f *session.Follower) ([]session.Line, error) {
	ctx, cancel := context.WithTimeout(ctx, breathEvery)
	defer cancel()
	return f.Next(ctx)
}

// CutResult is what came of an order to cut a session.
type CutResult struct {
	Cut bool `json:"cut"` // false: it was over already
}

func (a *API) cutSession(r *http.Request) (any, error) {
	number, err := sessionNumber(r)
	if err != nil {
		return nil, err
	}
	if _, _, known := a.opts.Sessions.Find(number); !known {
		return nil, noSession(number)
	}
	done := CutResult{a.opts.Sessions.Cut(number)}
	a.opts.Log.Info("an operator has cut a session", "session", number, "by", operator(r.Context()), "cut", done.Cut)
	return done, nil
}
