package queue

import (
	"math"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// A destination that could not be talked with is shut until a time that is
// drawn from Route.Probe; then one delivery goes there and nothing else, until
// it is known what became of it. When one gets through, two may follow, and one
// more for each that succeeds, up to the limit. Its mail stays where it is all
// the while: the mail's own times do not change, and no try is counted.

const (
	// steady is the pace from which on a destination counts as well again: when
	// it goes down later, its probes begin anew.
	steady = 5
	// manyFalls is how many destinations of a site have to go down in a row
	// until the site is thought to be down itself.
	manyFalls = 3
	// pause is for how long nothing is tried where a limit of our own was hit.
	pause = time.Second
)

// signs is what outcomes say of the other end.
type signs struct {
	answered bool // it was talked with
	down     bool // it could not be
	ours     bool // we did not try
	reply    *mail.Outcome
}

func signsOf(outcomes []mail.Outcome) signs {
	var g signs
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Fate == mail.Deferred && o.HostDown:
			g.down, g.reply = true, o
		case o.Fate == mail.Deferred && o.OurLimit:
			g.ours = true
		case o.Fate == mail.Delivered, o.Fate == mail.Relayed, !o.Local && o.Fate != 0:
			g.answered = true
		}
	}
	g.down = g.down && !g.answered
	return g
}

// learn takes from a delivery what it says of destination and site.
func (s *Schedule) learn(p *parcel, g signs, now instant) {
	d, at := p.dest, p.site
	switch {
	case g.answered:
		d.rise(now)
		at.rise(now)
	case g.down:
		s.fallBoth(p, g, now)
	case g.ours:
		d.shut = max(d.shut, now.add(pause))
	default: // a probe that found out nothing is no reason for another at once
		if d.down() {
			d.shut = max(d.shut, now.add(d.probeAfter(s.opts.Seed)))
		}
		if at.down() {
			at.shut = max(at.shut, now.add(at.probeAfter(s.opts.Seed)))
		}
	}
}

// fallBoth notes that the destination is down; and its site, if one after the
// other of its destinations went down.
func (s *Schedule) fallBoth(p *parcel, g signs, now instant) {
	d, at := p.dest, p.site
	if !d.down() {
		at.falls++
	}
	if d.fall(p.started, now, g) {
		d.most = 1
		d.shut = now.add(d.probeAfter(s.opts.Seed))
	}
	if (at.falls >= manyFalls || at.down()) && at.fall(p.started, now, g) {
		at.most = 1
		at.shut = now.add(at.probeAfter(s.opts.Seed))
	}
}

// fall notes that a delivery which started then found nobody. It reports
// whether that is news: what set out before we knew is not.
func (h *health) fall(started, now instant, g signs) bool {
	if h.down() && started <= h.since {
		return false
	}
	h.since = now
	h.probes++
	h.reply = g.reply.Reply
	return true
}

// rise notes that the destination answered.
func (d *destination) rise(now instant) {
	if d.down() {
		d.since, d.reply = 0, nil
		d.shut = min(d.shut, now)
		d.most = 1
	}
	d.most = min(d.most+1, d.ceiling())
	if d.most >= min(steady, d.ceiling()) {
		d.probes = 0
	}
}

func (at *site) rise(now instant) {
	at.falls = 0
	if at.down() {
		at.health = health{}
		at.shut = min(at.shut, now)
		at.limit()
	}
}

// ceiling is the most that the destination may be paced up to.
func (d *destination) ceiling() int {
	if most := d.route.conf.Destination.Deliveries; most > 0 {
		return most
	}
	return math.MaxInt32
}

// opens is when the destination is tried again if it is shut.
func (d *destination) opens() instant { return max(d.shut, d.at.shut) }

func (d *destination) probeAfter(seed uint64) time.Duration {
	return d.route.conf.Probe.after(d.probes, dice(seed, d.key.destination, d.probes))
}

func (at *site) probeAfter(seed uint64) time.Duration {
	return at.route.conf.Probe.after(at.probes, dice(seed, at.key.operator, at.probes))
}
