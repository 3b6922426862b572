package inboxapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
)

// Bounds of a stream.
const (
	// gatherTime is how long messages are gathered before they are told.
	gatherTime = 500 * time.Millisecond
	// breathEvery is after what silence a comment says that the stream lives.
	breathEvery = 15 * time.Second
)

// events tells of messages as they come: server-sent events, as in HTML, 9.2. A client
// that comes back with the Last-Event-ID of what it saw last misses nothing.
func (a *API) events(w http.ResponseWriter, r *http.Request) error {
	q, err := search(r)
	if err != nil {
		return err
	}
	since, err := idOf(r, "since")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		since, err = mail.ParseID(last)
	}
	if err != nil {
		return wrong("since: " + err.Error())
	}
	select {
	case a.streams <- struct{}{}:
		defer func() { <-a.streams }()
	default:
		return &admin.Fault{Status: http.StatusServiceUnavailable, Message: "too many listen already", Hint: "end some of the others"}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // what stands between must not wait
	s := stream{w, http.NewResponseController(w)}
	s.tell(r.Context(), a.o.Store.Follow(named(r), q, since))
	return nil
}

// stream is an answer that goes on.
type stream struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// tell tells what comes until ctx ends, or nobody listens.
func (s stream) tell(ctx context.Context, news *inbox.Reader) {
	_ = s.c.SetReadDeadline(time.Time{}) // not every server can
	for s.send(":\n\n") {
		breath, cancel := context.WithTimeout(ctx, breathEvery)
		messages, err := news.Next(breath)
		cancel()
		if err != nil && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
			return
		}
		for i := range messages {
			if !s.message(&messages[i]) {
				return
			}
		}
		if len(messages) > 0 && !pause(ctx) {
			return
		}
	}
}

// pause lets more gather. It returns false at the end of ctx.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(gatherTime):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s stream) message(m *inbox.Message) bool {
	data, err := json.Marshal(m)
	if err != nil {
		return false
	}
	return s.send(fmt.Sprintf("id: %s\nevent: message\ndata: %s\n\n", m.ID, data))
}

// send says something at once, and reports whether somebody hears it.
func (s stream) send(text string) bool {
	_ = s.c.SetWriteDeadline(time.Now().Add(writeTime)) // not every server can
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.c.Flush() == nil
}
