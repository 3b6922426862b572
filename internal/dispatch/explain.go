package dispatch

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/transport"
)

// Explained is the way that a recipient would go now, as far as the desk decides
// about it.
type Explained struct {
	// Steps are the routes that were looked at, if the Router can tell; the last
	// one fits, or none does. None is if an alias leads into a command or a file.
	Steps []route.Step
	Hop   mail.Hop
	// Routed: a route fits. Carried: there is a transport of the hop's name. Mail
	// for which one of them is missing waits until it is configured.
	Routed, Carried bool
	// Plan is where the hop leads; nil: its transport needs none.
	Plan *transport.Plan
	// Settings are the limits and retries of the route.
	Settings queue.Route
	// Status is what is known of the destination; nil: nothing is.
	Status *queue.Status
}

// Explain tells the way of a recipient of an envelope that need not exist. It asks
// the router, the schedule and the transport that would be asked if it did, the
// DNS included.
func (d *Desk) Explain(ctx context.Context, e *mail.Envelope, recipient int) (Explained, error) {
	s, err := ask(ctx, d, func(l *loop) Settings { return l.Settings })
	if err != nil {
		return Explained{}, err
	}
	var x Explained
	q := route.Ask(e, recipient)
	if x.Hop, x.Routed = route.Into(&e.To[recipient]); !x.Routed {
		x.Hop, x.Routed = s.Router.Route(q)
		x.Steps = stepsOf(s.Router, q)
	}
	carrier := s.Transports[x.Hop.Transport]
	x.Carried = carrier != nil
	known, err := ask(ctx, d, func(l *loop) Explained { return l.state(x) })
	if err != nil || known.Plan != nil {
		return known, err
	}
	if planner, is := carrier.(transport.Planner); is {
		made := planner.Plan(ctx, x.Hop)
		known.Plan = &made
	}
	return known, ctx.Err()
}

// stepsOf are the routes that a router looks at, if it can tell.
func stepsOf(r Router, q route.Question) []route.Step {
	can, is := r.(interface {
		Explain(q route.Question) []route.Step
	})
	if !is {
		return nil
	}
	return can.Explain(q)
}

// state adds what the loop knows of a hop.
func (l *loop) state(x Explained) Explained {
	x.Plan = l.planFor(x.Hop, time.Now())
	x.Settings = l.sched.Settings(x.Hop.Route)
	if st, known := l.sched.Destination(x.Hop); known {
		x.Status = &st
	}
	return x
}

// Known tells what is known of destinations, by the names under which their mail
// waits in the spool.
func (d *Desk) Known(ctx context.Context, destinations []string) ([]queue.Known, error) {
	return ask(ctx, d, func(l *loop) []queue.Known { return l.sched.Known(destinations) })
}
