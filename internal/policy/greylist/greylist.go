// Package greylist is the check that has strangers come twice: whoever is not known is told to
// come again later (4yz), as real mail servers do and many senders of spam do not.
//
// Known is who has come again in time: his network (IPv4 /24, IPv6 /64), and, if SPF says that he may
// send for it, the sender's domain, from wherever it sends next. Who is known stays so as long as he comes.
//
// What is remembered stands in the spool, an entry for each network or domain. So that strangers
// cannot fill it, so many are added in a second at most; beyond that, and while the spool does not
// answer, mail is taken.
package greylist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// States is what is needed of a [spool.Engine].
type States interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (uint64, error)
}

// Options are of a [Check]. A zero field has the default that is given.
type Options struct {
	States States        // needed
	Delay  time.Duration // a stranger is told no for so long; default 1 minute
	Window time.Duration // and has to come again in this time; default 1 day
	Keep   time.Duration // who is known and stays away is forgotten after it; default 35 days
	Origin mail.Origin   // the setting
}

// Check is a [policy.Check]. Make one with [New].
type Check struct {
	o     Options
	added atomic.Int64 // when all that were added would be paid back: Unix nanoseconds
}

// New makes a check.
func New(o Options) *Check {
	if o.Delay <= 0 {
		o.Delay = time.Minute
	}
	if o.Window <= 0 {
		o.Window = 24 * time.Hour
	}
	if o.Keep <= 0 {
		o.Keep = 35 * 24 * time.Hour
	}
	return &Check{o: o}
}

// Name implements [policy.Check].
func (*Check) Name() string { return "greylist" }

// Open implements [policy.Check].
func (c *Check) Open(v *policy.Visit) policy.Session {
	if v.FromHere() {
		return nil
	}
	return &session{c: c}
}

// Explain implements [policy.Explainer].
func (c *Check) Explain() []policy.Line {
	return []policy.Line{{
		What:   fmt.Sprintf("strangers are told to come again after %s (450 4.7.1), and known for %s then", c.o.Delay, c.o.Keep),
		Origin: c.o.Origin,
	}}
}

// session is the check on one connection. What was decided holds for a transaction.
type session struct {
	policy.Silent
	c       *Check
	decided bool
	said    policy.Opinion
}

// Reset implements [policy.Session].
func (s *session) Reset() { s.decided = false }

// Rcpt implements [policy.Session].
func (s *session) Rcpt(ctx context.Context, v *policy.Visit, _ *smtp.Rcpt) policy.Opinion {
	if v.Trusted {
		return policy.Opinion{}
	}
	a := v.Source.Client.Addr().Unmap()
	if s.decided {
		return policy.Opinion{Action: s.said.Action, Reply: s.said.Reply, Origin: s.said.Origin}
	}
	s.decided, s.said = true, s.c.decide(ctx, names(v, a), time.Now())
	return s.said
}

// names are those under which a client may be known: its network, and the domain for which it may
// send.
func names(v *policy.Visit, a netip.Addr) []string {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	network, _ := a.WithZone("").Prefix(bits) // the bits fit
	all := []string{network.String()}
	for _, r := range v.Results {
		if r.Method == "spf" && r.Verdict == senderauth.Pass && len(r.Properties) > 0 && r.Properties[0].Name == "mailfrom" {
			all = append(all, "spf "+mail.FoldDomain(v.From.Domain()))
		}
	}
	return all
}

// room is where the entries are.
const room = "greylist"

// entry is what is remembered under a name.
type entry struct {
	since   time.Time // who waits came first, or who is known was seen last
	known   bool
	version uint64 // 0: there is none
}

func (e entry) state(name string, expires time.Time) spool.State {
	value := binary.BigEndian.AppendUint64(nil, uint64(e.since.UnixNano()))
	if e.known {
		value = append(value, 1)
	}
	return spool.State{Room: room, Key: name, Value: value, Expires: expires}
}

func (c *Check) entry(ctx context.Context, name string) (entry, error) {
	st, err := c.o.States.State(ctx, room, name)
	if errors.Is(err, spool.ErrNotFound) || err == nil && len(st.Value) < 8 {
		return entry{version: st.Version}, nil
	}
	if err != nil {
		return entry{}, err
	}
	since := time.Unix(0, int64(binary.BigEndian.Uint64(st.Value)))
	return entry{since, len(st.Value) > 8, st.Version}, nil
}

// decide looks for a name that is known, or has waited for long enough.
func (c *Check) decide(ctx context.Context, names []string, now time.Time) policy.Opinion {
	entries := make([]entry, len(names))
	var first time.Time // when the one came first who has waited longest
	for i, name := range names {
		e, err := c.entry(ctx, name)
		switch {
		case err != nil:
			return policy.Opinion{Reason: "taken, since the spool does not answer: " + err.Error()}
		case e.known:
			c.seen(ctx, name, e, now)
			return policy.Opinion{}
		}
		if entries[i] = e; !e.since.IsZero() && (first.IsZero() || e.since.Before(first)) {
			first = e.since
		}
	}
	switch waited := now.Sub(first); {
	case first.IsZero():
		return c.first(ctx, names, entries, now)
	case waited < c.o.Delay:
		return c.later(c.o.Delay - waited)
	default:
		for i, name := range names {
			c.put(ctx, entry{since: now, known: true, version: entries[i].version}, name, now.Add(c.o.Keep))
		}
		return policy.Opinion{Reason: fmt.Sprintf("came again after %s, and is known from now on", waited.Round(time.Second))}
	}
}

// often is how often it is noted that somebody who is known was seen.
const often = 24 * time.Hour

// seen notes that who is known has come.
func (c *Check) seen(ctx context.Context, name string, e entry, now time.Time) {
	if now.Sub(e.since) >= often {
		c.put(ctx, entry{since: now, known: true, version: e.version}, name, now.Add(c.o.Keep))
	}
}

// put writes an entry. If another connection was quicker, or the disk does not take it, somebody
// comes once more than he had to.
func (c *Check) put(ctx context.Context, e entry, name string, expires time.Time) {
	_, _ = c.o.States.PutState(ctx, e.state(name, expires), e.version)
}

// first notes who has come for the first time.
func (c *Check) first(ctx context.Context, names []string, entries []entry, now time.Time) policy.Opinion {
	for i, name := range names {
		if !c.mayAdd(now) {
			return policy.Opinion{Reason: "taken, since too many strangers have come in a short time"}
		}
		c.put(ctx, entry{since: now, version: entries[i].version}, name, now.Add(c.o.Window))
	}
	return c.later(c.o.Delay)
}

// later is the opinion of who has to come again.
func (c *Check) later(wait time.Duration) policy.Opinion {
	wait = wait.Round(time.Second)
	return policy.Opinion{
		Action: policy.Defer, Origin: c.o.Origin,
		Reply:  smtp.Replyf(smtp.CodeMailboxBusy, smtp.EnhancedCode{4, 7, 1}, "Greylisted: come again in %s", wait),
		Reason: fmt.Sprintf("is a stranger, who is to come again in %s", wait),
	}
}

// So many entries are added at once, and in a second.
const (
	burst = 2000
	each  = time.Second / 50
)

// mayAdd counts an entry that is to be added: a bucket that leaks, in one number.
func (c *Check) mayAdd(now time.Time) bool {
	for {
		was := c.added.Load()
		at := max(was, now.UnixNano())
		if at-now.UnixNano() >= int64(burst*each) {
			return false
		}
		if c.added.CompareAndSwap(was, at+int64(each)) {
			return true
		}
	}
}
