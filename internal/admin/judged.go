package admin

import (
	"fmt"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
)

// Opinion is what a check said of a message.
type Opinion struct {
	Check   string `json:"check"`
	Stage   string `json:"stage"`
	Wants   string `json:"wants"` // "pass", "mark", "quarantine", "discard", "defer", "reject"
	Why     string `json:"why,omitempty"`
	At      *Place `json:"at,omitempty"`      // the setting that decided
	Results string `json:"results,omitempty"` // in the words of Authentication-Results
	AtMost  string `json:"at_most,omitempty"` // a limit made it milder ...
	Limit   *Place `json:"limit,omitempty"`   // ... by this setting
}

func (out *Event) judged(v *event.Judged) {
	out.What, out.Action, out.Changed = "judged", v.Action, v.Changed
	for i := range v.Opinions {
		o := &v.Opinions[i]
		said := Opinion{Check: o.Check, Stage: o.Stage.String(), Wants: o.Action, Why: o.Why, At: givenPlace(o.Origin), Results: o.Results}
		if o.AtMost != "" {
			said.AtMost, said.Limit = o.AtMost, givenPlace(o.Limit)
		}
		out.Opinions = append(out.Opinions, said)
	}
}

// givenPlace is a setting in the file, nil if it is a default.
func givenPlace(o mail.Origin) *Place {
	if o == (mail.Origin{}) {
		return nil
	}
	return placeOf(o)
}

// judges tells what policy asks of the mail of a stranger.
func judges(x *intake.Explained) []Step {
	var steps []Step
	for _, a := range x.Asked {
		for _, l := range a.Lines {
			steps = append(steps, Step{Text: fmt.Sprintf("Policy of %q: %s.", a.Listener, l.What), At: givenPlace(l.Origin)})
		}
		if l := a.AtMost; l != nil {
			steps = append(steps, Step{Text: fmt.Sprintf("But %q does no more to mail for this recipient than: %s.", a.Listener, l.Action), At: givenPlace(l.Origin)})
		}
	}
	return steps
}
