package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// TestExpanded is the whole of RFC 3461, 5.2.7.3 (c) and 5.2.7.1: what each NOTIFY
// makes of an alias of several, of an alias of one, and of mail of the null sender.
// "+" is the alias whose expansion is told.
func TestExpanded(t *testing.T) {
	const s, f, d, never = smtp.NotifySuccess, smtp.NotifyFailure, smtp.NotifyDelay, smtp.NotifyNever
	for _, c := range []struct {
		notify                  smtp.Notify
		several, one, nobodySay string
	}{
		{0, "ann= carl=", "root=", "ann= carl="},
		{never, "ann=NEVER carl=NEVER", "root=NEVER", "ann=NEVER carl=NEVER"},
		{s, "+sales=SUCCESS ann=NEVER carl=NEVER", "root=SUCCESS", "ann=NEVER carl=NEVER"},
		{f, "ann=FAILURE carl=FAILURE", "root=FAILURE", "ann=FAILURE carl=FAILURE"},
		{d, "ann=DELAY carl=DELAY", "root=DELAY", "ann=DELAY carl=DELAY"},
		{s | f, "+sales=SUCCESS ann=FAILURE carl=FAILURE", "root=SUCCESS,FAILURE", "ann=FAILURE carl=FAILURE"},
		{s | d, "+sales=SUCCESS ann=DELAY carl=DELAY", "root=SUCCESS,DELAY", "ann=DELAY carl=DELAY"},
		{s | f | d, "+sales=SUCCESS ann=FAILURE,DELAY carl=FAILURE,DELAY", "root=SUCCESS,FAILURE,DELAY", "ann=FAILURE,DELAY carl=FAILURE,DELAY"},
	} {
		for _, x := range []struct{ from, to, want string }{
			{"tom@sina.example", "sales@sohu.example", c.several},
			{"tom@sina.example", "postmaster@sohu.example", c.one},
			{"", "sales@sohu.example", c.nobodySay},
		} {
			if got := becomes(t, x.from, x.to, c.notify); got != x.want {
				t.Errorf("<%s> to <%s> NOTIFY=%s: %s, want %s", x.from, x.to, c.notify, got, x.want)
			}
		}
	}
}

// becomes tells what recipient a message has.
func becomes(t *testing.T, from, to string, notify smtp.Notify) (told string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "")
		defer w.close()
		s := intake.Submission{To: []smtp.Rcpt{{To: address(to), Params: smtp.RcptParams{Notify: notify}}}, Text: strings.NewReader("\r\n")}
		if from != "" {
			s.From = address(from)
		}
		if _, err := w.desk.Submit(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		page, err := w.spool.List(t.Context(), spool.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, it := range page.Items {
			r := it.Envelope.To[it.Standing.Recipient]
			plus := ""
			if r.Expanded {
				plus = "+"
			}
			all = append(all, fmt.Sprintf("%s%s=%s", plus, r.To.Local(), r.Notify))
		}
		told = strings.Join(all, " ")
	})
	return told
}
