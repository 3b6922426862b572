package run

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/event"
)

// Forms of the log.
const (
	logText = "text"
	logJSON = "json"
	logNone = "none"
)

// log is what a program tells on its standard error stream: what it has to say
// itself, and a line for each event of mail. Events are many, so they are written
// together: a fifth of a second later at most, and before anything else is said.
type log struct {
	*slog.Logger
	form string

	mu    sync.Mutex // is held while the stream is written to, so that lines stay whole
	w     io.Writer
	buf   bytes.Buffer
	timer *time.Timer // that will write what is in buf; nil: none
}

// logDelay is for how long an event may be kept before it is written.
const (
	logDelay  = 200 * time.Millisecond
	logBuffer = 32 << 10
)

func newLog(w io.Writer, form string) (*log, error) {
	l := &log{form: form, w: w}
	switch form {
	case logText:
		l.Logger = slog.New(slog.NewTextHandler(spoken{l}, nil))
	case logJSON:
		l.Logger = slog.New(slog.NewJSONHandler(cli.SafeJSON(spoken{l}), nil))
	case logNone:
		l.Logger = slog.New(slog.NewTextHandler(spoken{l}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	default:
		return nil, cli.Fail(cli.Usage, "--log %q is none of text, json and none", form)
	}
	return l, nil
}

// spoken is the stream as a logger has it.
type spoken struct{ l *log }

func (s spoken) Write(p []byte) (int, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.flush()
	return s.l.w.Write(p)
}

// flush writes the events that were kept. The lock is held.
func (l *log) flush() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	_, _ = l.w.Write(l.buf.Bytes()) // there is nobody else to tell
	l.buf.Reset()
}

// close writes what is left.
func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

// observe tells an event.
func (l *log) observe(e event.Entry) {
	if l.form == logNone {
		return
	}
	line := eventLine(l.form, e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.WriteString(line)
	switch {
	case l.buf.Len() >= logBuffer:
		l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(logDelay, l.close)
	}
}

// eventLine prints an event as a logger would.
func eventLine(form string, e event.Entry) string {
	const at = "2006-01-02T15:04:05.000Z07:00" // as slog has it
	id, line := "", e.Line()
	if !e.ID.IsZero() {
		id, line, _ = strings.Cut(line, " ")
	}
	word, rest, _ := strings.Cut(line, " ")
	if form == logText {
		if id != "" {
			rest = "id=" + id + " " + rest
		}
		return "time=" + e.At.Format(at) + " level=INFO msg=" + word + " " + rest + "\n"
	}
	var b strings.Builder
	_ = json.NewEncoder(cli.SafeJSON(&b)).Encode(struct { // of strings there is no error
		Time  string `json:"time"`
		Level string `json:"level"`
		Msg   string `json:"msg"`
		ID    string `json:"id,omitempty"`
		Text  string `json:"text"`
	}{e.At.Format(at), "INFO", word, id, rest})
	return b.String()
}
