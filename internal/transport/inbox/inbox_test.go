package inbox_test

import (
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	into "github.com/posthouse/posthouse/internal/transport/inbox"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

func store(t *testing.T) *inbox.Store {
	t.Helper()
	s, err := inbox.Open(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSuite(t *testing.T) {
	transporttest.Run(t, func(t *testing.T) transporttest.Subject {
		return transporttest.Subject{Transport: into.New(into.Options{Store: store(t)}), Domain: "example.test", Accepted: mail.Delivered}
	})
}

// TestOneCopyEach: recipients of an inbox share a copy, and each inbox has its own.
func TestOneCopyEach(t *testing.T) {
	s := store(t)
	tr := into.New(into.Options{Store: s, By: inbox.ByTag, Name: "Rest"})
	e := transporttest.Envelope(t, "a+x@b.test", "b@b.test", "c+X@b.test")
	e.ID = mail.ID{1}
	d := transporttest.Delivery(e, transporttest.Hello, mail.Hop{})
	outcomes := tr.Deliver(t.Context(), d)
	transporttest.Check(t, d, outcomes)
	x, rest := s.List("x", inbox.Query{}, mail.ID{}, 10).Messages, s.List("rest", inbox.Query{}, mail.ID{}, 10).Messages
	if len(x) != 1 || len(rest) != 1 || strings.Join(x[0].To, " ") != "a+x@b.test c+X@b.test" || rest[0].Of != e.ID {
		t.Fatalf("%+v\n%+v", x, rest)
	}
	told := transporttest.Tell(outcomes)
	if !strings.Contains(told, "1 delivered 250 2.1.5 In the inbox rest as "+rest[0].ID.String()+", local") {
		t.Error(told)
	}
}

// TestClosed: a store that cannot keep it has the message wait.
func TestClosed(t *testing.T) {
	s := store(t)
	_ = s.Close()
	d := transporttest.Delivery(transporttest.Envelope(t, "a@b.test"), transporttest.Hello, mail.Hop{})
	outcomes := into.New(into.Options{Store: s}).Deliver(t.Context(), d)
	if got := transporttest.Tell(outcomes); got != "0 deferred 451 4.3.0 The inbox cannot keep the message: the inbox is closed, local\n" {
		t.Error(got)
	}
}
