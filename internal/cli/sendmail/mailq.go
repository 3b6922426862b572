package sendmail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// House is the running daemon, as one that is asked and steered over its control
// socket. Errors know the status to end with, and what to do about them.
type House interface {
	// Waiting calls each for every recipient who waits, those of a message in a
	// row. An error of each ends it.
	Waiting(ctx context.Context, w cli.Where, each func(Waiting) error) error
	// Retry has those recipients tried at once whom a filter chooses, or all if it
	// is "", and returns how many they are.
	Retry(ctx context.Context, w cli.Where, filter string) (recipients int, err error)
	// Reload has the daemon read its configuration and what that names again: all
	// of it, or nothing if something is wrong.
	Reload(ctx context.Context, w cli.Where) error
}

// Waiting is a recipient who waits. Its JSON form is for programs.
type Waiting struct {
	ID      string    `json:"id"` // of the message
	Size    int64     `json:"size"`
	Arrived time.Time `json:"arrived"`
	From    string    `json:"from"` // "" is the null sender
	To      string    `json:"to"`
	State   string    `json:"state"`            // "active", "deferred" or "held"
	Reason  string    `json:"reason,omitempty"` // what the last attempt came to
}

// States of Waiting.
const (
	Active   = "active" // it is being tried, or about to be
	Deferred = "deferred"
	Held     = "held"
)

// list prints the queue, in the form that programs have always read.
func list(ctx context.Context, h House, w cli.Where, out io.Writer, asJSON bool) error {
	if asJSON {
		return h.Waiting(ctx, w, func(one Waiting) error { return written(cli.PrintJSON(out, one)) })
	}
	l := lister{out: out}
	if err := h.Waiting(ctx, w, l.add); err != nil {
		return err
	}
	return l.end()
}

// lister prints messages with their recipients.
type lister struct {
	out   io.Writer
	last  string // ID of the message before
	count int
	size  int64
}

const (
	listHead    = "-Queue ID------------ --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
	listIndent  = 52 // of recipients
	reasonLimit = 200
)

// add prints a recipient, under a line for the message if it is a new one.
func (l *lister) add(w Waiting) error {
	var b bytes.Buffer
	switch {
	case l.last == "":
		b.WriteString(listHead)
	case l.last != w.ID:
		b.WriteString("\n")
	}
	if l.last != w.ID {
		l.last = w.ID
		l.count++
		l.size += w.Size
		from := w.From
		if from == "" {
			from = "MAILER-DAEMON"
		}
		fmt.Fprintf(&b, "%-21s %8d %s  %s\n", cli.Printable(w.ID)+mark(w.State), w.Size,
			w.Arrived.Local().Format("Mon Jan _2 15:04:05"), cli.Printable(from))
	}
	if w.Reason != "" {
		fmt.Fprintf(&b, "%*s(%s)\n", listIndent-1, "", clip(cli.Printable(w.Reason)))
	}
	fmt.Fprintf(&b, "%*s%s\n", listIndent, "", cli.Printable(w.To))
	_, err := l.out.Write(b.Bytes())
	return written(err)
}

// mark is the sign behind the ID of a message: it is being delivered, or held.
func mark(state string) string {
	switch state {
	case Active:
		return "*"
	case Held:
		return "!"
	}
	return ""
}

func clip(s string) string {
	if len(s) <= reasonLimit {
		return s
	}
	return strings.ToValidUTF8(s[:reasonLimit], "") + "..."
}

func (l *lister) end() error {
	if l.count == 0 {
		_, err := io.WriteString(l.out, "Mail queue is empty\n")
		return written(err)
	}
	noun := "Requests"
	if l.count == 1 {
		noun = "Request"
	}
	_, err := fmt.Fprintf(l.out, "\n-- %d Kbytes in %d %s.\n", (l.size+1023)/1024, l.count, noun)
	return written(err)
}

func written(err error) error {
	if err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return nil
}
