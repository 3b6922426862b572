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

	spare sync.Pool // of *scratch
}

// scratch is memory for the line of an event, and for its words.
type scratch struct{ line, words []byte }

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

// observe tells an event. Many tell theirs at once: only what is done is done in turn.
func (l *log) observe(e event.Entry) {
	if l.form == logNone {
		return
	}
	m, _ := l.spare.Get().(*scratch)
	if m == nil {
		m = new(scratch)
	}
	m.words = e.AppendWords(m.words[:0])
	if l.form == logText {
		m.line = appendLine(m.line[:0], &e, m.words)
	} else {
		m.line = append(m.line[:0], jsonLine(&e, string(m.words))...)
	}
	l.keep(m.line)
	l.spare.Put(m)
}

// keep adds a line to those that will be written.
func (l *log) keep(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(line)
	switch {
	case l.buf.Len() >= logBuffer:
		l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(logDelay, l.close)
	}
}

// timeForm is that of slog.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// appendLine appends an event to b as a logger would print it.
func appendLine(b []byte, e *event.Entry, words []byte) []byte {
	word, rest, _ := bytes.Cut(words, []byte(" "))
	b = e.At.AppendFormat(append(b, "time="...), timeForm)
	b = append(append(b, " level=INFO msg="...), word...)
	if !e.ID.IsZero() {
		b, _ = e.ID.AppendText(append(b, " id="...)) // it has no errors
	}
	return append(append(append(b, ' '), rest...), '\n')
}

// jsonLine prints an event as a logger would.
func jsonLine(e *event.Entry, words string) string {
	word, rest, _ := strings.Cut(words, " ")
	id := ""
	if !e.ID.IsZero() {
		id = e.ID.String()
	}
	var b strings.Builder
	_ = json.NewEncoder(cli.SafeJSON(&b)).Encode(struct { // of strings there is no error
		Time  string `json:"time"`
		Level string `json:"level"`
		Msg   string `json:"msg"`
		ID    string `json:"id,omitempty"`
		Text  string `json:"text"`
	}{e.At.Format(timeForm), "INFO", word, id, rest})
	return b.String()
}
