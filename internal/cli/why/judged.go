package why

import (
	"strings"

	"github.com/posthouse/posthouse/internal/admin"
)

// deeds are what policy may have done.
var deeds = map[string]string{
	"pass":       "judged: nothing is held against it",
	"mark":       "judged: taken, and the message tells what was found",
	"quarantine": "judged: taken as junk",
	"discard":    "judged: thrown away, as a check wanted",
}

// judged tells what each check said.
func judged(e *admin.Event) (string, []string) {
	head := deeds[e.Action]
	if head == "" {
		head = "judged: " + e.Action
	}
	var details []string
	for i := range e.Opinions {
		details = append(details, opinion(&e.Opinions[i])...)
	}
	if e.Changed != "" {
		details = append(details, "not as it came in: "+e.Changed)
	}
	return head, details
}

// opinion is what one check wanted and why, and what it found.
func opinion(o *admin.Opinion) []string {
	said := o.Check + " at " + stage(o.Stage) + ": " + o.Wants
	if o.Why != "" {
		said += ", since " + o.Why
	}
	if o.At != nil {
		said += " (" + o.At.String() + ")"
	}
	lines := []string{said}
	if o.AtMost != "" {
		limited := "but at most " + o.AtMost + " for some or all of those who get it"
		if o.Limit != nil {
			limited += " (" + o.Limit.String() + ")"
		}
		lines = append(lines, limited)
	}
	for r := range strings.SplitSeq(o.Results, "; ") {
		if r != "" {
			lines = append(lines, "    "+r)
		}
	}
	return lines
}

// stage is the word for when it was said.
func stage(verb string) string {
	if verb == "." {
		return "the end of the text"
	}
	return verb
}
