package client

import (
	"context"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

// LogQuery says which part of the journal is told.
type LogQuery struct {
	After  string    // only what comes behind this place; "now": what comes from now on
	Since  time.Time // only what was recorded at this time or later; zero: any
	ID     string    // only of this message
	Follow bool      // and what comes, without end
}

// Log tells hear the entries of the journal, one after the other.
func (c *Client) Log(ctx context.Context, q LogQuery, hear func(*admin.LogEntry) error) error {
	v := values("after", q.After, "id", q.ID)
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339))
	}
	if q.Follow {
		v.Set("follow", "1")
	}
	return c.listen(ctx, "/v1/log", v, func(e *streamed) error {
		if e.name == "end" {
			return io.EOF
		}
		entry, err := understand[admin.LogEntry](e)
		if err != nil {
			return err
		}
		return hear(&entry)
	})
}

// Overview tells how it goes, and went in the last minutes.
func (c *Client) Overview(ctx context.Context, minutes int) (admin.Overview, error) {
	return get[admin.Overview](ctx, c, "/v1/overview", values("minutes", number(minutes)))
}
