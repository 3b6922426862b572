package dispatch_test

import (
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
)

// TestAnOperatorNamesAWay: a route by its name, a host, and what is neither; and
// mail that waits goes there.
func TestAnOperatorNamesAWay(t *testing.T) {
	in(t, func(w *world) {
		table, err := route.New([]route.Rule{
			{Name: "out", Way: route.Way{Transport: "road"}},
			{Name: "boxes", Way: route.Way{Transport: "boxes", Mailbox: true}},
			{Name: "fixed", Way: route.Way{Transport: "boxes", Hosts: []string{"relay.example:25"}}},
		})
		if err != nil {
			w.Fatal(err)
		}
		boxes := newRoad()
		settings := w.settings
		settings.Router = table
		settings.Transports = map[string]transport.Transport{"road": w.road, "boxes": boxes, dispatch.Smarthost: boxes}
		if err := w.desk.Reload(w.Context(), settings); err != nil {
			w.Fatal(err)
		}
		for word, want := range map[string]mail.Hop{
			"boxes":           {Route: "boxes", Transport: "boxes"},
			"fixed":           {Route: "fixed", Transport: "boxes", Destination: "relay.example:25"},
			"mx.sina.example": {Route: "smarthost", Transport: "smarthost", Destination: "mx.sina.example"},
			"[192.0.2.1]:26":  {Route: "smarthost", Transport: "smarthost", Destination: "[192.0.2.1]:26"},
		} {
			if got, err := w.desk.Via(w.Context(), word); err != nil || got != want {
				w.Errorf("%s: %+v, %v", word, got, err)
			}
		}
		if got, err := w.desk.Via(w.Context(), "nowhere"); err == nil {
			w.Errorf("nowhere leads to %+v", got)
		}
		w.road.at("Bob@sina.example", greylisted)
		id := w.send("Bob@sina.example")
		time.Sleep(10 * time.Second)
		via, err := w.desk.Via(w.Context(), "boxes")
		if err != nil {
			w.Fatal(err)
		}
		q := spool.Query{Filter: spool.Filter{ID: id}}
		if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: spool.Reroute, At: time.Now(), By: "root", Via: via}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if boxes.sent("Bob@sina.example") != 1 || w.count("relayed", "route=boxes", "destination=bob@sina.example") != 1 {
			w.Error(w.told())
		}
	})
}

// TestTheWayIsExplained: the way that mail takes is the way that was told before.
func TestTheWayIsExplained(t *testing.T) {
	in(t, func(w *world) {
		e := &mail.Envelope{From: address("ann@sohu.example"), To: []mail.Recipient{{To: address("bob@sina.example")}}}
		before, err := w.desk.Explain(w.Context(), e, 0)
		if err != nil || !before.Routed || !before.Carried || before.Status != nil || len(before.Steps) != 1 {
			w.Fatalf("%+v, %v", before, err)
		}
		w.send("bob@sina.example")
		time.Sleep(time.Second)
		if w.count("relayed", "route="+before.Hop.Route, "destination="+before.Hop.Destination) != 1 {
			w.Errorf("told %+v, and it went\n%s", before.Hop, w.told())
		}
		after, err := w.desk.Explain(w.Context(), e, 0)
		if err != nil || after.Status == nil || after.Settings.Batch == 0 {
			w.Errorf("%+v, %v", after, err)
		}
		known, err := w.desk.Known(w.Context(), []string{"sina.example"})
		if err != nil || len(known) != 1 || known[0].Hop.Destination != "sina.example" {
			w.Errorf("%+v, %v", known, err)
		}
		e.To[0].Into = "|/bin/true"
		into, err := w.desk.Explain(w.Context(), e, 0)
		if err != nil || into.Hop.Transport != route.AliasCommand || into.Carried {
			w.Errorf("into a command: %+v, %v", into, err)
		}
	})
}
