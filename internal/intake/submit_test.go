package intake_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

func in(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		f(w)
		w.close()
	})
}

func submission(text io.Reader, to ...string) intake.Submission {
	s := intake.Submission{Source: mail.Source{Listener: "sendmail", Login: "ann"}, From: address("ann@sohu.example"), Text: text}
	for _, a := range to {
		s.To = append(s.To, smtp.Rcpt{To: address(a)})
	}
	return s
}

func TestSubmitTakesAllButWhomNobodyKnows(t *testing.T) {
	in(t, func(w *world) {
		done, err := w.desk.Submit(w.Context(), submission(strings.NewReader("Subject: a virus\r\n\r\n"), "carl@sina.example", "zoe@sohu.example"))
		if err != nil {
			w.Fatal(err)
		}
		if len(done.Refused) != 1 || done.Refused[0].To != address("zoe@sohu.example") || done.Refused[0].Reply.Code != smtp.CodeMailboxUnavailable {
			w.Errorf("refused %v", done.Refused)
		}
		if kept := w.kept(); !strings.Contains(kept, done.ID.String()+": to=carl@sina.example") {
			w.Errorf("kept:\n%s", kept)
		}
	})
}

func TestSubmitKeepsNothingOfWhatFails(t *testing.T) {
	in(t, func(w *world) {
		_, err := w.desk.Submit(w.Context(), submission(strings.NewReader(""), "zoe@sohu.example"))
		if !errors.Is(err, intake.ErrNoRecipients) {
			w.Errorf("%v, want ErrNoRecipients", err)
		}
		broken := io.MultiReader(strings.NewReader("Subject: hello\r\n"), errReader{})
		if _, err := w.desk.Submit(w.Context(), submission(broken, "ann@sohu.example")); !errors.Is(err, errBroken) {
			w.Errorf("%v, want that of the reader", err)
		}
		if kept := w.kept(); kept != "" {
			w.Errorf("kept:\n%s", kept)
		}
	})
}

var errBroken = errors.New("broken pipe")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// TestLargeTextsAreNotKept: what is handed on in memory is small, and always whole.
func TestLargeTextsAreNotKept(t *testing.T) {
	in(t, func(w *world) {
		for _, size := range []int{0, 1, 4000, 5000, 60_000, 66 << 10, 1 << 20} {
			text := "Subject: hello\r\n\r\n" + strings.Repeat("It rains.\r\n", size/11)
			done, err := w.desk.Submit(w.Context(), submission(strings.NewReader(text), "ann@sohu.example"))
			if err != nil {
				w.Fatal(err)
			}
			a := w.arrivals[len(w.arrivals)-1]
			if kept := a.Text != nil; kept != (size < 64<<10) {
				w.Errorf("%d octets: kept %v", size, kept)
			}
			w.text(done.ID) // compares
		}
	})
}

// TestKeepingTextsDoesNotWearOut: what is kept on the way in is bounded in all, and
// given up again.
func TestKeepingTextsDoesNotWearOut(t *testing.T) {
	in(t, func(w *world) {
		text := "Subject: hello\r\n\r\n" + strings.Repeat("It rains.\r\n", 5_000)
		for range 400 {
			if _, err := w.desk.Submit(w.Context(), submission(strings.NewReader(text), "ann@sohu.example")); err != nil {
				w.Fatal(err)
			}
		}
		if w.arrivals[len(w.arrivals)-1].Text == nil {
			w.Error("the last text is not kept")
		}
	})
}

func TestPrepare(t *testing.T) {
	in(t, func(w *world) {
		for _, to := range []string{"sales@sohu.example", "tom@sina.example"} {
			w.prepare(to)
		}
		kept := w.kept()
		for _, line := range []string{
			"to=ann@sohu.example notify=NEVER orcpt=rfc822;sales@sohu.example",
			"to=tom@sina.example notify=NEVER",
			"\tReceived: from localhost by mx.sohu.example", "\tAuto-Submitted: auto-replied",
		} {
			if !strings.Contains(kept, line) {
				w.Errorf("nothing is kept with %q:\n%s", line, kept)
			}
		}
	})
}

// prepare makes a report, and commits it.
func (w *world) prepare(to string) {
	w.Helper()
	report := &dsn.Report{
		MTA: "mx.sohu.example", From: address("mailer-daemon@sohu.example"), To: address(to), Date: time.Now(),
		Recipients: []dsn.Recipient{dsn.NewRecipient(
			mail.Recipient{To: address("eve@sina.example")},
			mail.Outcome{Fate: mail.Failed, Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no such user")}, mail.ReportFailed,
		)},
	}
	d, c, err := w.desk.Prepare(w.Context(), report, nil)
	if err != nil {
		w.Fatal(err)
	}
	if !c.Envelope.From.IsNull() || c.Envelope.Source.Listener != "report" || c.Envelope.Subject == "" || len(c.Facts) != 1 {
		w.Errorf("the envelope is %+v", c.Envelope)
	}
	if _, err := d.Commit(context.Background(), c); err != nil {
		w.Fatal(err)
	}
}

func TestPrepareKeepsNothingOfWhatFails(t *testing.T) {
	in(t, func(w *world) {
		_, _, err := w.desk.Prepare(w.Context(), &dsn.Report{To: address("zoe@sohu.example")}, nil)
		if reply := new(smtp.Reply); !errors.As(err, &reply) || reply.Code != smtp.CodeMailboxUnavailable {
			w.Errorf("a report to whom nobody knows: %v", err)
		}
		if _, _, err := w.desk.Prepare(w.Context(), &dsn.Report{To: address("tom@sina.example")}, nil); err == nil {
			w.Error("a report without anything is prepared")
		}
		w.spool.SetCapacity(1)
		w.text(w.mustSubmit())
		if _, _, err := w.desk.Prepare(w.Context(), &dsn.Report{To: address("tom@sina.example")}, nil); !errors.Is(err, spool.ErrFull) {
			w.Errorf("%v, want ErrFull", err)
		}
	})
}

func (w *world) mustSubmit() mail.ID {
	w.Helper()
	w.spool.SetCapacity(1000)
	done, err := w.desk.Submit(w.Context(), submission(strings.NewReader("\r\n"), "ann@sohu.example"))
	if err != nil {
		w.Fatal(err)
	}
	w.spool.SetCapacity(1)
	return done.ID
}
