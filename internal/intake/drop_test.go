package intake_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// lying is a text in memory.
type lying string

func (l lying) Size() int64                  { return int64(len(l)) }
func (l lying) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(l))), nil }

func left(to ...string) *maildrop.Letter {
	l := &maildrop.Letter{
		From: address("ann@sohu.example"), Text: lying("Subject: a virus\r\nMessage-ID: <1@sohu.example>\r\n\r\nIt rains.\r\n"),
		Name: "06h0ey3fgtr44n6fa7m0", Login: "ann", Left: time.Now(),
	}
	for _, a := range to {
		l.To = append(l.To, smtp.Rcpt{To: address(a)})
	}
	return l
}

// TestTake: a letter from the drop directory is taken for all who can be decided; whoever
// is refused is reported to the sender, as nobody is there to hear of it.
func TestTake(t *testing.T) {
	loop := "Delivered-To: bob@sohu.example\r\n" + string(left().Text.(lying))
	for _, c := range []struct {
		story  string
		change func(l *maildrop.Letter)
		to     []string
		err    error  // what Take returns; nil: it is taken
		kept   string // recipients in the spool, in the order of arrival
	}{
		{"all", nil, []string{"bob@sohu.example", "carl@sina.example"}, nil, "bob@sohu.example carl@sina.example"},
		{"an alias", nil, []string{"sales@sohu.example"}, nil, "ann@sohu.example carl@sina.example"},
		{"one is unknown", nil, []string{"zoe@sohu.example", "carl@sina.example"}, nil, "carl@sina.example report:ann@sohu.example"},
		{"nobody is known", nil, []string{"zoe@sohu.example"}, nil, "report:ann@sohu.example"},
		{"not now", nil, []string{"slow@sohu.example", "carl@sina.example"}, errAny, ""},
		{
			"not for five days", func(l *maildrop.Letter) { l.Left = l.Left.Add(-intake.DropExpires) },
			[]string{"slow@sohu.example", "carl@sina.example"},
			nil, "carl@sina.example report:ann@sohu.example",
		},
		{
			"no report is wanted", func(l *maildrop.Letter) { l.To[0].Params.Notify = smtp.NotifyNever },
			[]string{"zoe@sohu.example", "carl@sina.example"},
			nil, "carl@sina.example",
		},
		{
			"nobody can be told", func(l *maildrop.Letter) { l.From = smtp.Path{} },
			[]string{"zoe@sohu.example", "carl@sina.example"},
			maildrop.ErrUnwelcome, "carl@sina.example",
		},
		{
			"in circles", func(l *maildrop.Letter) { l.Text = lying(loop) },
			[]string{"bob@sohu.example", "carl@sina.example"},
			nil, "report:ann@sohu.example",
		},
		{
			"too large", func(l *maildrop.Letter) { l.Text = lying(strings.Repeat("It rains.\r\n", 2000)) },
			[]string{"bob@sohu.example"},
			nil, "report:ann@sohu.example",
		},
	} {
		t.Run(c.story, func(t *testing.T) {
			in(t, func(w *world) {
				l := left(c.to...)
				if c.change != nil {
					c.change(l)
				}
				drop := intake.Drop{Desk: w.desk, MessageSize: 10_000}
				err := drop.Take(w.Context(), l)
				if (err == nil) != (c.err == nil) || c.err != errAny && !errors.Is(err, c.err) {
					w.Errorf("the error is %v, want %v", err, c.err)
				}
				if got := keptFor(w); got != c.kept {
					w.Errorf("kept for %q, want %q", got, c.kept)
				}
			})
		})
	}
}

// errAny is any error.
var errAny = errors.New("any")

// keptFor lists the recipients in the spool, the letter's before those of its report.
func keptFor(w *world) string {
	page, err := w.spool.List(w.Context(), spool.Query{})
	if err != nil {
		return err.Error()
	}
	var mails, reports []string
	for _, it := range page.Items {
		to := it.Envelope.To[it.Standing.Recipient].To.String()
		if it.Envelope.From.IsNull() && it.Envelope.Source.Listener == "report" {
			reports = append(reports, "report:"+to)
			continue
		}
		mails = append(mails, to)
		if s := it.Envelope.Source; s.Listener != intake.FromSendmail || s.Login != "ann" {
			w.Errorf("the source is %+v", s)
		}
	}
	return strings.Join(append(mails, reports...), " ")
}

// TestReportOfADrop: the report names who was refused, why, and what the message was.
func TestReportOfADrop(t *testing.T) {
	in(t, func(w *world) {
		l := left("zoe@sohu.example")
		l.Params.EnvID = "job 7"
		if err := (&intake.Drop{Desk: w.desk}).Take(w.Context(), l); err != nil {
			w.Fatal(err)
		}
		kept := textOfFirst(w)
		for _, part := range []string{
			"From: Mail system <mailer-daemon@mx.sohu.example>", "Subject: Not delivered: a virus", "Original-Envelope-Id: job 7",
			"Final-Recipient: rfc822;zoe@sohu.example", "Status: 5.1.1", "Message-ID: <1@sohu.example>",
		} {
			if !strings.Contains(kept, part) {
				w.Errorf("nothing says %q:\n%s", part, kept)
			}
		}
		if len(w.arrivals) != 1 {
			w.Errorf("%d arrivals were told, want that of the report", len(w.arrivals))
		}
	})
}

// textOfFirst is the text of the first message in the spool.
func textOfFirst(w *world) string {
	page, err := w.spool.List(w.Context(), spool.Query{})
	if err != nil || len(page.Items) == 0 {
		w.Fatal("nothing is kept", err)
	}
	c, err := w.spool.Open(w.Context(), page.Items[0].Envelope.ID)
	if err != nil {
		w.Fatal(err)
	}
	r, err := c.Open()
	if err != nil {
		w.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// TestSecondCopyOfADrop: what may have been taken before a crash is told as such.
func TestSecondCopyOfADrop(t *testing.T) {
	in(t, func(w *world) {
		l := left("bob@sohu.example")
		l.Again = true
		if err := (&intake.Drop{Desk: w.desk}).Take(w.Context(), l); err != nil {
			w.Fatal(err)
		}
		facts, err := w.spool.Facts(w.Context(), spool.FactQuery{})
		if err != nil || len(facts.Facts) != 2 || !strings.Contains(w.told.String(), "second") {
			w.Errorf("%d facts, %v; told:\n%s", len(facts.Facts), err, &w.told)
		}
	})
}

// TestDropWithoutRoom: nothing is taken, nothing is lost.
func TestDropWithoutRoom(t *testing.T) {
	in(t, func(w *world) {
		w.spool.SetCapacity(1)
		w.mustSubmit()
		err := (&intake.Drop{Desk: w.desk}).Take(w.Context(), left("bob@sohu.example"))
		var reply *smtp.Reply
		if !errors.As(err, &reply) || reply.Code != smtp.CodeInsufficientStorage {
			w.Errorf("%v, want 452", err)
		}
	})
}

var _ mail.Content = lying("")
