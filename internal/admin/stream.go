package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Bounds of a stream.
const (
	// flushEvery is how often what has gathered is sent: a page that shows it is not
	// drawn more often.
	flushEvery = 500 * time.Millisecond
	// breathEvery is after what silence a comment says that the stream lives.
	breathEvery = 15 * time.Second
	// maxStreams is how many there may be at once.
	maxStreams = 200
)

// stream is an answer that goes on: server-sent events, as in HTML, 9.2.
type stream struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// send says one event, whose data is v as JSON; "" is no id.
func (s *stream) send(name, id string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.hurry()
	if id != "" {
		id = "id: " + id + "\n"
	}
	_, err = fmt.Fprintf(s.w, "%sevent: %s\ndata: %s\n\n", id, name, data)
	return err
}

// breathe says nothing, so that whoever listens knows that somebody is there.
func (s *stream) breathe() error {
	s.hurry()
	if _, err := s.w.Write([]byte(":\n\n")); err != nil {
		return err
	}
	return s.c.Flush()
}

// hurry bounds the time that the other side may take for what is written now.
func (s *stream) hurry() { _ = s.c.SetWriteDeadline(time.Now().Add(pace)) } // not every server can

// pause sends what was said, and lets more gather. It returns false at the end of ctx.
func (s *stream) pause(ctx context.Context) bool {
	if s.c.Flush() != nil {
		return false
	}
	select {
	case <-time.After(flushEvery):
		return true
	case <-ctx.Done():
		return false
	}
}

// streaming makes a handler of an answer that goes on until the other side, or the
// house, has had enough. The start of the answer decides whether it is one: an error
// before it is told as any other.
func (a *API) streaming(start func(r *http.Request) (func(ctx context.Context, s *stream) error, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.streams <- struct{}{}:
			defer func() { <-a.streams }()
		default:
			a.fault(w, r, &Fault{http.StatusServiceUnavailable, "too many listen already", "end some of the others"})
			return
		}
		run, err := start(r)
		if err != nil {
			a.fault(w, r, err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(a.closing, cancel)()
		header(w, "text/event-stream")
		s := &stream{w, http.NewResponseController(w)}
		if s.breathe() == nil {
			_ = run(ctx, s) // nobody is left to be told
		}
	}
}
