package discard_test

import (
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport/discard"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

func TestSuite(t *testing.T) {
	transporttest.Run(t, func(*testing.T) transporttest.Subject {
		return transporttest.Subject{Transport: discard.Transport{}, Domain: "example.test", Accepted: mail.Discarded, NoText: true}
	})
}

func TestOutcomeNamesTheRoute(t *testing.T) {
	hop := mail.Hop{Route: "spam\r\ntrap", Origin: mail.Origin{File: "main.hcl", Line: 7, Column: 3}}
	d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test"), transporttest.Hello, hop)
	got := transporttest.Tell(discard.Transport{}.Deliver(t.Context(), d))
	if want := "0 discarded 250 2.0.0 Discarded by route \"spam\\r\\ntrap\" (main.hcl:7:3), local\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
