package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/transport"
)

func routeStep(s *route.Step) Step {
	if s.Failed != route.None {
		return Step{Text: fmt.Sprintf("Route %q does not fit: the %s is %s.", s.Route, s.Failed, s.Asked), At: placeOf(s.Origin)}
	}
	text := fmt.Sprintf("Route %q fits: %s carries it", s.Route, s.Hop.Transport)
	if s.Hop.Destination != "" {
		text += " to " + s.Hop.Destination
	}
	return Step{Text: text + ".", At: placeOf(s.Origin)}
}

func planStep(p *transport.Plan) Step {
	if p.Fault != nil {
		return Step{Text: fmt.Sprintf("It would be %s: %s", p.Fault.Fate, replyLine(p.Fault.Reply)), Notes: p.Notes}
	}
	s := Step{Text: "The first of these hosts that takes it gets it:"}
	if len(p.Hosts) == 1 {
		s.Text = "This host gets it:"
	}
	for i := range p.Hosts {
		s.Notes = append(s.Notes, hostText(&p.Hosts[i]))
	}
	s.Notes = append(s.Notes, p.Notes...)
	if p.Authenticated {
		s.Notes = append(s.Notes, "nobody can have forged the names: they are signed, or configured")
	}
	return s
}

func hostOf(h *transport.Host) Host {
	out := Host{Name: h.Name, Preference: h.Preference, TLS: h.TLS, Addrs: []string{}}
	for _, a := range h.Addrs {
		out.Addrs = append(out.Addrs, a.String())
	}
	return out
}

func hostText(h *transport.Host) string {
	addrs := strings.Join(hostOf(h).Addrs, ", ")
	if addrs == "" {
		addrs = "no address"
	}
	return fmt.Sprintf("%s (%d) at %s; TLS: %s", h.Name, h.Preference, addrs, h.TLS)
}

func limitStep(x *dispatch.Explained) Step {
	r := &x.Settings
	s := Step{Text: fmt.Sprintf("Deliveries at a time: %s to this destination, %s to its operator, %s by this route; up to %d recipients in each.",
		deliveries(r.Destination), deliveries(r.Site), deliveries(r.All), r.Batch)}
	at := &r.Said
	s.said(
		said{"to this destination", at.Destination},
		said{"to this destination in a time", at.DestRate},
		said{"to its operator", at.Site},
		said{"to its operator in a time", at.SiteRate},
		said{"by this route", at.All},
		said{"by this route in a time", at.AllRate},
		said{"recipients in each", at.Batch},
	)
	if x.Status != nil {
		for _, p := range x.Status.Shared {
			s.Notes = append(s.Notes, portionText(&p))
		}
	}
	return s
}

// portionText tells what of a limit over all nodes this one has.
func portionText(p *queue.Portion) string {
	return fmt.Sprintf([...]string{
		queue.ByDestination: "over all nodes %d to this destination; this node has %d of them, and %d in use",
		queue.BySite:        "over all nodes %d to its operator; this node has %d of them, and %d in use",
		queue.ByRoute:       "over all nodes %d by this route; this node has %d of them, and %d in use",
	}[p.By], p.Limit, p.Places, p.Busy)
}

// said is a setting that decided a part of a step.
type said struct {
	what string
	at   mail.Origin
}

// said tells where the parts of a step were decided: one place for all, if it is one.
func (s *Step) said(all ...said) {
	given := slices.DeleteFunc(all, func(x said) bool { return x.at.File == "" })
	if len(given) == 0 {
		return
	}
	if !slices.ContainsFunc(given, func(x said) bool { return x.at != given[0].at }) {
		s.At = placeOf(given[0].at)
		return
	}
	for _, x := range given {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: at %s", x.what, x.at))
	}
}

func deliveries(l queue.Limits) string {
	s := "any number"
	if l.Deliveries > 0 {
		s = strconv.Itoa(l.Deliveries)
	}
	if l.Rate > 0 {
		s += fmt.Sprintf(" (%d in %s)", l.Rate, Short(max(l.Per, time.Second)))
	}
	return s
}

func stateStep(x *dispatch.Explained) Step {
	st := x.Status
	switch {
	case st == nil:
		return Step{Text: "Nothing is known of the destination yet: it is tried at once."}
	case !st.Down.IsZero():
		s := Step{Text: fmt.Sprintf("The destination is down since %s (tries in vain: %d).", clock(st.Down), st.Probes)}
		if st.Reply != nil {
			s.Notes = append(s.Notes, replyLine(st.Reply))
		}
		if !st.Opens.IsZero() {
			s.Notes = append(s.Notes, "it is probed again at "+clock(st.Opens))
		}
		return s
	case !st.Opens.IsZero():
		return Step{Text: fmt.Sprintf("The destination is well, and the next delivery may begin at %s.", clock(st.Opens))}
	}
	if st.InFlight+st.Recipients == 0 {
		return Step{Text: "The destination is well: it is tried at once."}
	}
	return Step{Text: fmt.Sprintf("The destination is well: %d deliveries are under way, and %d recipients are in the window.", st.InFlight, st.Recipients)}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func retryStep(r *queue.Route) Step {
	text := fmt.Sprintf("If it is deferred it is tried again after %s", r.Retry)
	if r.Warn > 0 {
		text += fmt.Sprintf("; the sender hears of a delay after %s", Short(r.Warn))
	}
	s := Step{Text: fmt.Sprintf("%s; it is given up after %s.", text, Short(r.Expire))}
	s.said(said{"retry", r.Said.Retry}, said{"expire", r.Said.Expire}, said{"warn", r.Said.Warn})
	return s
}
