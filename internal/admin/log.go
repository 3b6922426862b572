package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// LogEntry is an entry of the journal in a stream of it.
type LogEntry struct {
	Seq   string   `json:"seq"` // its place: a stream goes on behind it where "after" says so
	ID    *mail.ID `json:"id,omitempty"`
	Line  string   `json:"line"` // as it stands in the log
	Event Event    `json:"event"`
}

// LogEnd is the last event of a stream that does not go on.
type LogEnd struct {
	Seq string `json:"seq"` // of the last entry
}

// fromNow is the place of what comes from now on.
const fromNow = "now"

// logPage is how many entries are read at once.
const logPage = 500

// journal is a stream of it.
type journal struct {
	spool  Spool
	query  spool.FactQuery
	follow bool
	silent time.Time // since when nothing was said
}

// log tells the journal from a place on.
func (a *API) log(r *http.Request) (func(context.Context, *stream) error, error) {
	v, err := asked(r, "after", "since", "follow", "id")
	if err != nil {
		return nil, err
	}
	j := &journal{spool: a.opts.Spool, follow: v.Get("follow") != "", query: spool.FactQuery{Limit: logPage}}
	if s := v.Get("id"); s != "" {
		if j.query.ID, err = a.find(r.Context(), s); err != nil {
			return nil, err
		}
	}
	if s := v.Get("since"); s != "" {
		if j.query.Since, err = time.Parse(time.RFC3339, s); err != nil {
			return nil, wrong("since %q is no time as in 2026-11-23T11:00:00Z", s)
		}
	}
	after := v.Get("after")
	if s := r.Header.Get("Last-Event-ID"); s != "" {
		after = s // the stream was cut, and goes on
	}
	if j.query.After, err = a.placeOf(r.Context(), after); err != nil {
		return nil, err
	}
	return j.run, nil
}

// placeOf reads a place in the journal.
func (a *API) placeOf(ctx context.Context, s string) (uint64, error) {
	switch s {
	case "":
		return 0, nil
	case fromNow:
		page, err := a.opts.Spool.Facts(ctx, spool.FactQuery{Newest: true, Limit: 1})
		if err != nil || len(page.Facts) == 0 {
			return 0, err
		}
		return page.Facts[0].Seq, nil
	}
	seq, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, wrong("%q is no place in the journal: take the \"seq\" of an entry, or \"now\"", s)
	}
	return seq, nil
}

func (j *journal) run(ctx context.Context, s *stream) error {
	j.silent = time.Now()
	for {
		page, err := j.spool.Facts(ctx, j.query)
		if err != nil {
			return err
		}
		if err := j.tell(s, page.Facts); err != nil {
			return err
		}
		switch {
		case page.More:
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		case !j.follow:
			return s.send("end", "", LogEnd{strconv.FormatUint(j.query.After, 10)})
		case time.Since(j.silent) > breathEvery:
			j.silent = time.Now()
			if err := s.breathe(); err != nil {
				return err
			}
		}
		if !s.pause(ctx) {
			return ctx.Err()
		}
	}
}

func (j *journal) tell(s *stream, facts []spool.Fact) error {
	for i := range facts {
		f := &facts[i]
		j.query.After, j.silent = f.Seq, time.Now()
		e, err := event.Parse(f.Data)
		if err != nil {
			continue // it was written by a later program
		}
		entry := event.Entry{ID: f.ID, At: f.At, Seq: f.Seq, Event: e}
		out := LogEntry{Seq: strconv.FormatUint(f.Seq, 10), Line: entry.Line(), Event: eventOf(&entry)}
		if !f.ID.IsZero() {
			out.ID = &f.ID
		}
		if err := s.send("fact", out.Seq, out); err != nil {
			return err
		}
	}
	return nil
}
