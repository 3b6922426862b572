package why

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

// teller tells events in plain words.
type teller struct {
	page *cli.Page
	day  string // that was printed last
}

func (t *teller) tell(s *admin.Story, out io.Writer) error {
	if t.day == "" {
		t.page.Line("Message " + s.ID.String())
	}
	for i := range s.Events {
		t.event(&s.Events[i])
	}
	return t.page.Print(out)
}

// event tells one, with its details below it.
func (t *teller) event(e *admin.Event) {
	at := e.At.Local()
	if day := at.Format(time.DateOnly); day != t.day {
		t.day = day
		t.page.Blank()
		t.page.Line(day)
	}
	headline, details := sentence(e)
	t.page.Text(at.Format(time.TimeOnly)+"  ", headline)
	for _, d := range details {
		if d != "" {
			t.page.Text("            ", d)
		}
	}
}

// sentence is an event as it is told.
func sentence(e *admin.Event) (headline string, details []string) {
	switch e.What {
	case "accepted":
		return accepted(e)
	case "attempt":
		return attempt(e)
	case "decided":
		return decided(e)
	case "reported":
		return reported(e)
	case "ordered":
		return ordered(e)
	case "second copy":
		return e.To.String() + " may get it twice: " + e.Why + ".", nil
	case "judged":
		return judged(e)
	case "damaged":
		return "found damaged, and put in quarantine: " + e.Why, nil
	}
	return e.What, nil
}

// Of many recipients so many are listed.
const listedHere = 10

func accepted(e *admin.Event) (string, []string) {
	head := "taken in"
	if s := e.Source; s != nil {
		head += cameBy(s)
	}
	from := "from <> (the null sender)"
	if e.From != nil && !e.From.IsNull() {
		from = "from " + e.From.String()
	}
	if e.Subject != "" {
		from += `, "` + e.Subject + `"`
	}
	details := []string{from + ", " + cli.Octets(e.Size)}
	for i := range e.Recipients[:min(len(e.Recipients), listedHere)] {
		r := &e.Recipients[i]
		to := "for " + r.To.String()
		if !r.Original.IsNull() {
			to += ", given as " + r.Original.String()
		}
		details = append(details, to)
	}
	if more := len(e.Recipients) + e.More - listedHere; more > 0 {
		details = append(details, "and for "+cli.Count(more, "other"))
	}
	return head, details
}

func cameBy(s *admin.Source) string {
	said := ""
	if s.Listener != "" {
		said += " by " + s.Listener
	}
	if s.Client != "" {
		said += " from " + strings.TrimSpace(s.Hello+" ["+s.Client+"]")
	}
	for _, word := range []string{s.Protocol, s.TLS} {
		if word != "" {
			said += ", " + word
		}
	}
	if s.Login != "" {
		said += ", logged in as " + s.Login
	}
	return said
}

func attempt(e *admin.Event) (string, []string) {
	head := e.To.String() + ": " + e.Fate
	switch {
	case e.Host != "":
		head += preposition(e.Fate) + host(e)
	case e.Local && e.Fate != "delivered":
		head += " here"
	}
	if e.Took > 0 {
		head += fmt.Sprintf(", in %s", time.Duration(e.Took)*time.Millisecond)
	}
	details := []string{e.Reply}
	if e.Stage != "" && e.Fate != "relayed" && e.Fate != "delivered" && !e.Local {
		details[0] += " (in answer to " + e.Stage + ")"
	}
	details = append(details, over(e), tried(e), route(e))
	return head, append(details, consequences(e)...)
}

func preposition(fate string) string {
	switch fate {
	case "relayed", "delivered":
		return " to "
	}
	return " by "
}

func host(e *admin.Event) string {
	if e.Addr == "" || e.Addr == e.Host {
		return e.Host
	}
	return e.Host + " [" + e.Addr + "]"
}

func over(e *admin.Event) string {
	switch {
	case e.TLS != "":
		return "over " + e.TLS
	case e.Host != "" && !e.Local:
		return "without TLS"
	}
	return ""
}

func tried(e *admin.Event) string {
	if e.Tried == "" {
		return ""
	}
	return "before that: " + e.Tried
}

func route(e *admin.Event) string {
	if e.Hop == nil || e.Hop.Route == "" {
		return ""
	}
	said := fmt.Sprintf("by route %q", e.Hop.Route)
	if at := e.Hop.Place.String(); at != "" {
		said += " (" + at + ")"
	}
	return said
}

// consequences are what follows from an attempt.
func consequences(e *admin.Event) []string {
	var said []string
	add := func(is bool, text string) {
		if is {
			said = append(said, text)
		}
	}
	add(e.Unsure, "the link was cut behind the last dot: the host may have it")
	add(e.Limit, "because of a limit of our own, which is no attempt")
	add(e.Down, "the host could not be talked with: the destination is taken to be down")
	add(e.Encoded, "the text was encoded anew, for a host that takes 7 bits only")
	add(e.Owed != "", "a report is owed to the sender: "+e.Owed)
	add(!e.Again.IsZero(), "again at "+e.Again.Local().Format(time.DateTime))
	return said
}

func decided(e *admin.Event) (string, []string) {
	return e.To.String() + ": " + e.Fate + ", without an attempt", append([]string{e.Reply}, consequences(e)...)
}

func reported(e *admin.Event) (string, []string) {
	to := e.To.String()
	if to == "" {
		to = "<>"
	}
	if e.Report == nil {
		return "no report to " + to + ": " + e.Why, nil
	}
	return fmt.Sprintf("reported to %s: %s, of %s", to, e.Action, cli.Count(e.Count, "recipient")),
		[]string{"as message " + e.Report.String()}
}

func ordered(e *admin.Event) (string, []string) {
	by := e.By
	if by == "" {
		by = "an operator"
	}
	var details []string
	if e.Reason != "" {
		details = append(details, "because: "+e.Reason)
	}
	if e.Hop != nil {
		details = append(details, "by way of "+strings.TrimSpace(e.Hop.Transport+" "+e.Hop.Destination))
	}
	return e.To.String() + ": " + e.Order + ", by order of " + by, details
}
