package remote

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// maxTries bounds how often a delivery fails to get on with a host.
const maxTries = 12

// attempt is one delivery under way. Recipients are named by their position in it.
type attempt struct {
	t     *Transport
	d     *transport.Delivery
	sheet *transport.Sheet
	last  []verdict // of recipients for whom the next host may be tried
	tried []string  // what was wrong with hosts
	tries int

	signed bool  // nobody can have forged the names of the hosts
	waived *bool // the sender waives what recipients ask of TLS; nil: not looked yet
}

// verdict is what becomes of a recipient if no other host takes the mail.
type verdict struct {
	outcome mail.Outcome
	entry   int // in tried, that tells the same
}

// weight says which of two verdicts tells more. A recipient fails only if every
// host says so; and a host that has answered tells more than one that is down.
func (v *verdict) weight() int {
	switch o := &v.outcome; {
	case o.Fate == 0:
		return 0
	case o.Fate == mail.Failed:
		return 1
	case o.HostDown:
		return 2
	}
	return 3
}

// putAside leaves a recipient to the next host.
func (a *attempt) putAside(position int, o mail.Outcome, entry int) {
	v := verdict{o, entry}
	if v.weight() >= a.last[position].weight() {
		a.last[position] = v
	}
}

// note remembers what was wrong with a host, and returns its place.
func (a *attempt) note(host string, addr netip.AddrPort, what string) int {
	s := host + " [" + addr.String() + "]: " + what
	if n := len(a.tried); n == 0 || a.tried[n-1] != s {
		a.tried = append(a.tried, s)
	}
	return len(a.tried) - 1
}

// story joins what was tried, but for one entry.
func (a *attempt) story(except int) string {
	var parts []string
	for i, s := range a.tried {
		if i != except {
			parts = append(parts, s)
		}
	}
	return transport.Line(strings.Join(parts, "; "))
}

// everything is no entry in particular.
const everything = -1

func (a *attempt) decide(position int, o mail.Outcome, entry int) {
	o.Tried = a.story(entry)
	a.sheet.Decide(position, o)
}

// finish gives those whom no host took what is known of them.
func (a *attempt) finish(ctx context.Context) []mail.Outcome {
	for _, i := range a.sheet.Open() {
		switch v := &a.last[i]; {
		case errors.Is(ctx.Err(), context.Canceled):
			a.decide(i, transport.Interrupted(), everything)
		case v.weight() > 0:
			a.decide(i, v.outcome, v.entry)
		}
	}
	return a.sheet.Outcomes()
}

// next says where a delivery goes from a connection.
type next int

const (
	nextHost   next = iota // this one is done with, or will have no more of it
	nextAddr               // the connection, or what is behind it, is no good
	sameAddr               // once more: there are recipients whom it takes
	freshStart             // the same, but over no kept connection
)

// visit delivers over connections to one host. When what is asked of TLS was in the way,
// and the sender waives it, it goes there once more without.
func (a *attempt) visit(ctx context.Context, h transport.Host) {
	if len(h.Addrs) == 0 {
		return
	}
	w := a.terms(&h)
	insecure := w.refused != nil
	if insecure {
		a.turnedAway(&h, w)
	} else {
		insecure = a.visitUnder(ctx, &h, w)
	}
	if insecure && w.waivable() && a.waives() && len(a.sheet.Open()) > 0 {
		a.visitUnder(ctx, &h, a.t.waivedTerms(w))
	}
}

// visitUnder delivers to a host under terms, and reports whether TLS was in the way.
func (a *attempt) visitUnder(ctx context.Context, h *transport.Host, w *terms) (insecure bool) {
	k := key{h.Name, h.Addrs[0].Port(), w.policy, w.demand.Key}
	if err := a.t.kept.enter(ctx, k, orElse(a.t.MaxConns, 20)); err != nil {
		a.busy(err)
		return false
	}
	defer a.t.kept.leave(k)
	fresh := false
	for addrs := h.Addrs; len(addrs) > 0 && a.tries < maxTries && ctx.Err() == nil; {
		var l *link
		if !fresh {
			l = a.t.kept.take(k, addrs)
		}
		if l == nil {
			var failed []dialled
			var err error
			l, failed, err = a.t.connect(ctx, h, k, w, addrs)
			addrs = a.unreached(ctx, h, w, addrs, failed, err)
			if err != nil {
				insecure = insecure || aboutTLS(err)
				continue
			}
		}
		switch a.converse(ctx, l) {
		case nextHost:
			return insecure
		case nextAddr:
			a.tries++
			addrs = without(addrs, l.addr)
		case freshStart:
			fresh = true
		case sameAddr:
		}
	}
	return insecure
}

// busy is for a limit of our own.
func (a *attempt) busy(err error) {
	o := fault(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 5}, "%v", err)
	o.OurLimit = true
	for _, i := range a.sheet.Open() {
		a.decide(i, *o, everything)
	}
}

// unreached takes note of the addresses that did not get as far as MAIL, and
// returns the others. err is why none did.
func (a *attempt) unreached(ctx context.Context, h *transport.Host, w *terms, addrs []netip.AddrPort, failed []dialled, err error) []netip.AddrPort {
	for _, f := range failed {
		addrs = without(addrs, f.addr)
		a.goesBy(f.trace)
		if ctx.Err() != nil {
			continue // it had no time
		}
		a.tries++
		a.t.bad.add(f.addr)
		a.note(h.Name, f.addr, why(f.err).Error())
	}
	if err != nil {
		o := a.insecure(w, transport.Unreached(ctx, err), err)
		o.Host, o.Addr = h.Name, failed[len(failed)-1].addr.String()
		for _, i := range a.sheet.Open() {
			a.putAside(i, o, len(a.tried)-1)
		}
	}
	return addrs
}

func without(addrs []netip.AddrPort, bad netip.AddrPort) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.AddrPort) bool { return a == bad })
}

// idleTime is how long connections are kept.
func (t *Transport) idleTime() time.Duration { return orElse(t.IdleTimeout, 10*time.Second) }
