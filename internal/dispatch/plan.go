package dispatch

import (
	"slices"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/transport"
)

// planKey names what a plan is for.
type planKey struct{ transport, destination string }

func keyOf(h mail.Hop) planKey { return planKey{h.Transport, h.Destination} }

// plan is what a Planner has said, or is about to say.
type plan struct {
	transport.Plan
	hop     mail.Hop // one of those that it is for
	asking  bool
	waiting []waiting
}

// waiting is a recipient that waits for a plan.
type waiting struct {
	letter *letter
	to     queue.Recipient
}

const (
	// maxPlans is how many plans are kept. When there are more all are forgotten,
	// which costs questions to the DNS and nothing else.
	maxPlans = 10_000
	// maxPlanners is how many plans are made at a time.
	maxPlanners = 100
)

// planned completes the way of a recipient. It is false if the plan must be made
// first; then the recipient waits for it.
func (l *loop) planned(lt *letter, p *place, to *queue.Recipient, now time.Time) bool {
	planner, is := l.Transports[to.Hop.Transport].(transport.Planner)
	if !is {
		return true
	}
	key := keyOf(to.Hop)
	known := l.plans[key]
	if known != nil && !known.asking && now.Before(known.Until) {
		to.Site = known.Site
		return true
	}
	if known == nil || !known.asking {
		if len(l.plans) >= maxPlans {
			l.forgetPlans()
		}
		known = &plan{hop: to.Hop, asking: true}
		l.plans[key] = known
		l.ask(planner, key)
	}
	p.phase = planning
	known.waiting = append(known.waiting, waiting{lt, *to})
	return false
}

func (l *loop) forgetPlans() {
	for key, p := range l.plans {
		if !p.asking {
			delete(l.plans, key)
		}
	}
}

// ask has a plan made, now or when others are done.
func (l *loop) ask(planner transport.Planner, key planKey) {
	if l.planners >= maxPlanners {
		l.unasked = append(l.unasked, key)
		return
	}
	l.planners++
	hop := l.plans[key].hop
	l.aside(func() func(*loop) {
		made := planner.Plan(l.ctx, hop)
		return func(l *loop) { l.planMade(key, made) }
	})
}

// planMade takes a plan and lets go those who waited for it.
func (l *loop) planMade(key planKey, made transport.Plan) {
	l.planners--
	l.nextPlan()
	p := l.plans[key]
	p.Plan, p.asking = made, false
	jobs := p.waiting
	p.waiting = nil
	now := time.Now()
	for len(jobs) > 0 {
		lt := jobs[0].letter
		n := slices.IndexFunc(jobs, func(w waiting) bool { return w.letter != lt })
		if n < 0 {
			n = len(jobs)
		}
		l.add(lt, stillPlanning(jobs[:n], made.Site), now)
		jobs = jobs[n:]
	}
}

// stillPlanning are those who have not been given back meanwhile, with their site.
func stillPlanning(all []waiting, site string) []queue.Recipient {
	var to []queue.Recipient
	for _, w := range all {
		if p := w.letter.find(w.to.Index); p.phase == planning {
			w.to.Site = site
			to = append(to, w.to)
		}
	}
	return to
}

// nextPlan has the plan made that has waited longest for its turn.
func (l *loop) nextPlan() {
	for len(l.unasked) > 0 && l.planners < maxPlanners {
		key := l.unasked[0]
		l.unasked = l.unasked[1:]
		p := l.plans[key]
		if planner, is := l.Transports[key.transport].(transport.Planner); is {
			l.ask(planner, key)
			continue
		}
		l.planners++ // a reload took the planner away: there is nothing to plan
		l.planMade(key, transport.Plan{Until: time.Now(), Site: p.Site})
	}
}

// planFor is the plan that a delivery is made by; nil: the transport makes its own.
func (l *loop) planFor(h mail.Hop, now time.Time) (made *transport.Plan) {
	if p := l.plans[keyOf(h)]; p != nil && !p.asking && now.Before(p.Until) {
		plan := p.Plan
		made = &plan
	}
	if sabotage.Is("mail goes where other mail goes") {
		made = l.anyPlan(made)
	}
	return made
}
