package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Schedule decides what is tried when, and what came of it. It is made by
// [New], and is used by one goroutine at a time.
//
// Every method that takes now expects one that is not before that of the call
// before it. If a clock goes back all the same then mail waits longer by as
// much; nothing is lost.
type Schedule struct {
	opts      Options
	house     node
	routes    map[string]*route
	dests     map[destKey]*destination
	order     []*destination // all of dests, in the order in which they came
	messages  map[mail.ID]*message
	flights   map[uint64]*parcel
	wakes     agenda // nodes
	deadlines agenda // parcels that are not in flight
	asks      agenda // shares
	shares    map[string]*share

	idle   ring   // destinations without mail, the longest idle first
	idlers int    // how many those are
	size   int    // recipients in the window
	lastID uint64 // of deliveries
	seq    uint64 // of parcels, for order among equals
	now    instant
	missed uint64 // counts refusals, from 1: the spool may have first flights at the start
	found  uint64 // the value of missed that the spool has made up for
	steps  int    // swaps and visits, for the tests of cost
}

// New returns an empty schedule.
func New(o Options) *Schedule {
	s := &Schedule{
		opts:     o.orElse(),
		routes:   map[string]*route{},
		dests:    map[destKey]*destination{},
		messages: map[mail.ID]*message{},
		flights:  map[uint64]*parcel{},
		shares:   map[string]*share{},
		missed:   1,
	}
	s.house.most = s.opts.Deliveries
	s.wakes.steps, s.deadlines.steps, s.asks.steps = &s.steps, &s.steps, &s.steps
	return s
}

// Reload puts other options in place of those that hold. What is in flight
// goes on; retry times that were drawn stay as they are.
func (s *Schedule) Reload(now time.Time, o Options) {
	t := s.tick(now)
	s.opts = o.orElse()
	s.house.most = s.opts.Deliveries
	for _, r := range s.routes {
		r.configure(s.opts.route(r.name))
		for _, at := range r.sites {
			at.limit()
		}
	}
	for _, d := range s.order {
		s.shareAll(d)
		d.limit()
		for _, p := range d.parcels() {
			s.deadlines.set(&p.late, s.deadline(p))
		}
	}
	for _, d := range s.order {
		s.refresh(&d.node, t)
	}
}

func (s *Schedule) tick(now time.Time) instant {
	s.now = instantOf(now)
	return s.now
}

// Wake returns the earliest instant at which [Schedule.Next] will have something
// to say if nothing else happens before; zero if it will not.
func (s *Schedule) Wake() time.Time {
	if !s.house.full() && !s.house.kids.empty() {
		return s.now.time()
	}
	return min(s.wakes.at(), s.deadlines.at()).time()
}
