package dispatch_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
)

// aliases is a directory of sohu.example.
type aliases map[string][]directory.Target

func (a aliases) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	r := directory.Resolution{Address: to}
	if r.To = a[to.String()]; r.To != nil {
		r.Kind = directory.Alias
	}
	return r, nil
}

func (aliases) Find(context.Context, string) ([]directory.Resolution, error) { return nil, nil }

// withAliases runs f in a world where robot is a command, a file and a Maildir,
// and staff are bob and eve.
func withAliases(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		robot := address("robot@sohu.example")
		at := func(column int) mail.Origin { return mail.Origin{File: "aliases", Line: 7, Column: column} }
		w.people = aliases{
			"robot@sohu.example": {
				{To: robot, Into: "|/usr/bin/robot -v", Origin: at(8)},
				{To: robot, Into: "/var/log/robot", Origin: at(30)},
				{To: robot, Into: "/var/mail/robot/", Origin: at(50)},
			},
			"staff@sohu.example": {{To: address("bob@sina.example")}, {To: address("eve@sina.example")}},
		}
		for _, name := range []string{route.AliasCommand, route.AliasFile, route.AliasMaildir} {
			w.settings.Transports[name] = w.road
		}
		w.open()
		f(w)
		w.shut()
	})
}

// TestIntoCommandsAndFiles: they are carried by what carries their kind, and the
// router is not asked, to whom the alias would come back for ever.
func TestIntoCommandsAndFiles(t *testing.T) {
	withAliases(t, func(w *world) {
		w.send("robot@sohu.example")
		time.Sleep(time.Second)
		w.check("20-into-commands-and-files")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestExpandedIsToldOnce: who asked for it hears that an alias was expanded, once,
// whatever happens in between.
func TestExpandedIsToldOnce(t *testing.T) {
	withAliases(t, func(w *world) {
		w.sendAs(smtp.RcptParams{Notify: smtp.NotifySuccess | smtp.NotifyFailure}, "staff@sohu.example")
		time.Sleep(time.Minute)
		w.check("21-an-alias-is-expanded")
		if text := w.road.carried(); !strings.Contains(text, "Action: expanded\r\nStatus: 2.0.0") {
			w.Errorf("the report does not say so:\n%s", text)
		}
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestExpandedThroughACrash: the power goes before anything is recorded, and when
// everything is.
func TestExpandedThroughACrash(t *testing.T) {
	withAliases(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, after(time.Minute, relays)))
		w.sendAs(smtp.RcptParams{Notify: smtp.NotifySuccess}, "staff@sohu.example")
		for range 3 {
			w.crash()
			time.Sleep(time.Second)
		}
		time.Sleep(time.Hour)
		if n := w.count("reported", "action=expanded"); n != 1 {
			w.Errorf("told %d times:\n%s", n, w.told())
		}
		if n := w.road.sent("ann@sohu.example"); n < 1 {
			w.Error("the report was not sent")
		}
	})
}

// TestOrdersAboutAnExpandedAlias: there is nothing to return and nowhere to send it.
func TestOrdersAboutAnExpandedAlias(t *testing.T) {
	for verb, want := range map[spool.Verb]int{spool.Hold: 1, spool.Bounce: 1, spool.Remove: 0} {
		withAliases(t, func(w *world) {
			w.shut()
			w.sendAs(smtp.RcptParams{Notify: smtp.NotifySuccess}, "staff@sohu.example")
			q := spool.Query{Filter: spool.Filter{To: "staff@sohu.example"}}
			order := func(v spool.Verb) {
				if _, err := w.spool.Alter(w.Context(), q, spool.Order{Verb: v, At: time.Now()}, nil); err != nil {
					w.Fatal(err)
				}
			}
			order(verb)
			w.open()
			time.Sleep(time.Minute)
			order(spool.Free)
			time.Sleep(time.Hour)
			if n := w.count("reported", "action=expanded"); n != want || w.left() != 0 {
				w.Errorf("%s: told %d times, want %d:\n%s", verb, n, want, w.told())
			}
		})
	}
}

// TestReportsKeepWhatTheMessageNeeds: the report of a message with REQUIRETLS goes
// with REQUIRETLS, and returns the header alone (RFC 8689, 5).
func TestReportsKeepWhatTheMessageNeeds(t *testing.T) {
	for _, secret := range []bool{true, false} {
		in(t, func(w *world) {
			w.road.at("bob@sina.example", refuses)
			w.road.at("ann@sohu.example", greylisted)
			_, err := w.intake.Submit(w.Context(), intake.Submission{
				From: address("ann@sohu.example"), To: []smtp.Rcpt{{To: address("bob@sina.example")}},
				Params: smtp.MailParams{RequireTLS: secret}, Text: strings.NewReader(letter),
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			page, err := w.spool.List(w.Context(), spool.Query{})
			if err != nil || len(page.Items) != 1 || page.Items[0].Envelope.RequireTLS != secret {
				t.Errorf("%+v, %v", page.Items, err)
			}
			if n := strings.Count(w.road.carried(), "It rains."); n != map[bool]int{true: 1, false: 2}[secret] {
				t.Errorf("the text went out %d times", n)
			}
		})
	}
}
