package dispatch

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
)

// Smarthost is the name of the transport that takes mail to an operator's
// HOST:PORT, which is the destination of its hops.
const Smarthost = "smarthost"

// names is a [Router] that knows its routes by name, as a [route.Table] does.
type names interface {
	Named(name string, q route.Question) (hop mail.Hop, ok bool)
	Names() []string
}

// Via finds the hop that an operator means, for an order to reroute: by the name
// of a route, or by HOST:PORT. The destination of a route's hop is "" if it
// depends on the recipient.
func (d *Desk) Via(ctx context.Context, word string) (mail.Hop, error) {
	s, err := ask(ctx, d, func(l *loop) Settings { return l.Settings })
	if err != nil {
		return mail.Hop{}, err
	}
	known, is := s.Router.(names)
	if is {
		if hop, ok := known.Named(word, route.Question{}); ok {
			if hop.Destination == "@" { // of nobody's mailbox
				hop.Destination = ""
			}
			return hop, nil
		}
	}
	if strings.ContainsAny(word, ":.") && s.Transports[Smarthost] != nil {
		return mail.Hop{Route: Smarthost, Transport: Smarthost, Destination: word}, nil
	}
	if !is {
		return mail.Hop{}, fmt.Errorf("%q is no HOST:PORT", word)
	}
	return mail.Hop{}, fmt.Errorf("%q is neither HOST:PORT nor a route (routes are %s)", word, strings.Join(known.Names(), ", "))
}

// rerouted is where an order to reroute takes a recipient.
func (l *loop) rerouted(via mail.Hop, q route.Question) mail.Hop {
	if via.Destination != "" {
		return via
	}
	if known, is := l.Router.(names); is {
		if hop, ok := known.Named(via.Route, q); ok {
			return hop
		}
	}
	via.Destination = strings.ToLower(q.To.Domain()) // the route is gone, and what carries it may be too
	return via
}
