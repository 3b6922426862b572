package posttest

import (
	"testing"

	"github.com/posthouse/posthouse/internal/scenario"
)

// Step is where in a dialogue something happens.
type Step string

// The steps, in the order of a dialogue.
const (
	Connect  Step = "connect"  // before the greeting
	Helo     Step = "helo"     // HELO and EHLO
	StartTLS Step = "starttls" // the command, and the handshake after it
	Auth     Step = "auth"
	Mail     Step = "mail"
	Rcpt     Step = "rcpt"
	Data     Step = "data" // the command, or the first chunk
	Dot      Step = "dot"  // the whole text has come
)

// Rule says what happens when. On, To, From, Login and Tries are conditions, and all that
// are given must fit; the rest is what happens. The words are those of a scenario's file.
type Rule struct {
	On Step

	To, From, Login string // patterns, in any case: "*" stands for anything
	Tries           string // of the same client, sender and recipients, from 1: "1", "2-3", "3-"; "": all

	Reply       string // refuses: "450 4.2.0 Come back later"; or goes on in other words: "250 2.0.0 Queued as 4711"
	Delay       string // holds the answer back: "2s"
	Drop        bool   // cuts the connection instead of an answer; at Dot the message was kept
	Trickle     string // lets an octet out each so often from now on: "100ms"
	Certificate string // at StartTLS: "expired" or "wrong-name"
	Greylist    string // at Rcpt: refuses until this long after the first try: "5m"
	Rate        string // tells 421 to who does it more often: "10/1m"
}

// Play has the server misbehave; tries are counted from now. Without rules it behaves
// again. A rule that makes no sense ends the test.
func (s *Server) Play(t testing.TB, rules ...Rule) {
	t.Helper()
	var all []scenario.Rule
	for _, r := range rules {
		all = append(all, scenario.Rule{
			On: scenario.Step(r.On), To: r.To, From: r.From, Login: r.Login, Tries: r.Tries,
			Reply: r.Reply, Delay: r.Delay, Drop: r.Drop, Trickle: r.Trickle,
			Certificate: scenario.Certificate(r.Certificate), Greylist: r.Greylist, Rate: r.Rate,
		})
	}
	played, err := scenario.New(all)
	if err != nil {
		t.Fatalf("posttest: %v", err)
	}
	s.door.Stage().Play("", played)
}

// PlayFile has the server misbehave as a file says, in the form of "posthouse run --scenario".
// What it says of single inboxes does not hold here: there is one.
func (s *Server) PlayFile(t testing.TB, name string, text []byte) {
	t.Helper()
	f, err := scenario.ParseFile(name, text)
	if err != nil {
		t.Fatalf("posttest: %v", err)
	}
	played, err := scenario.New(f.All)
	if err != nil {
		t.Fatalf("posttest: %v", err)
	}
	s.door.Stage().Play("", played)
}
