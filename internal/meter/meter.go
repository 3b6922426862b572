// Package meter counts what happens to mail: since the start, minute by minute for a day,
// and by destination. It hears of the same events as the journal, and knows nothing else;
// what it keeps is bounded and in memory only.
package meter

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Counts are of messages where they were taken in, and of recipients else.
type Counts struct {
	Accepted  int64 // messages
	Bytes     int64 // of them
	Refused   int64 // commands that were
	Delivered int64 // in a mailbox, or at another host
	Deferred  int64 // attempts
	Bounced   int64 // given up: failed or expired
	Discarded int64 // by a rule or an operator
	Reported  int64 // reports
}

func (c *Counts) add(d *Counts) {
	c.Accepted += d.Accepted
	c.Bytes += d.Bytes
	c.Refused += d.Refused
	c.Delivered += d.Delivered
	c.Deferred += d.Deferred
	c.Bounced += d.Bounced
	c.Discarded += d.Discarded
	c.Reported += d.Reported
}

// Minute is one minute of the last day.
type Minute struct {
	At time.Time // when it began
	Counts
	Queue   int64   // recipients that were not done, when it was looked last; -1: it was not
	Latency Latency // of what was delivered, since it was taken in
}

// Destination is how it went with one.
type Destination struct {
	Name                         string
	Delivered, Deferred, Bounced int64
}

const (
	// kept is how many minutes are.
	kept = 24 * 60
	// maxDestinations is how many are counted by name, in the hour that is and in the one
	// before; what else there is comes under Others.
	maxDestinations = 1000
	// Others is the name under which destinations are counted for which there is no room.
	Others = "(others)"
)

// Meter counts. Make one with [New]. It may be used by many goroutines.
type Meter struct {
	mu      sync.Mutex
	total   Counts
	fates   map[mail.Fate]int64
	stages  map[smtp.Verb]int64
	latency Latency
	minutes [kept]Minute // by number modulo kept
	last    int64        // number of the newest minute: minutes since 1970
	hour    [2]map[string]*Destination
	hourAt  int64 // number of the hour of hour[0]
}

// New makes a meter.
func New() *Meter {
	m := &Meter{fates: map[mail.Fate]int64{}, stages: map[smtp.Verb]int64{}}
	m.hour[0] = map[string]*Destination{}
	return m
}

// Observe counts an event. It is called for every one, and quick.
func (m *Meter) Observe(e event.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.minute(e.At)
	switch v := e.Event.(type) {
	case *event.Accepted:
		m.count(now, Counts{Accepted: 1, Bytes: v.Size})
	case *event.Refused:
		m.stages[v.Stage]++
		m.count(now, Counts{Refused: 1})
	case *event.Attempt:
		m.attempt(now, &e, v)
	case *event.Decided:
		m.fates[v.Outcome.Fate]++
		m.count(now, fated(v.Outcome.Fate))
	case *event.Reported:
		if !v.Report.IsZero() {
			m.count(now, Counts{Reported: 1})
		}
	}
}

func (m *Meter) count(now *Minute, c Counts) {
	m.total.add(&c)
	now.add(&c)
}

func fated(f mail.Fate) Counts {
	switch f {
	case mail.Delivered, mail.Relayed:
		return Counts{Delivered: 1}
	case mail.Deferred:
		return Counts{Deferred: 1}
	case mail.Failed, mail.Expired:
		return Counts{Bounced: 1}
	case mail.Discarded, mail.Removed:
		return Counts{Discarded: 1}
	}
	return Counts{}
}

func (m *Meter) attempt(now *Minute, e *event.Entry, a *event.Attempt) {
	c := fated(a.Outcome.Fate)
	m.fates[a.Outcome.Fate]++
	m.count(now, c)
	if c.Delivered > 0 {
		took := e.At.Sub(e.ID.Arrived())
		m.latency.add(took)
		now.Latency.add(took)
	}
	d := m.destination(a.Hop.Destination, e.At)
	d.Delivered += c.Delivered
	d.Deferred += c.Deferred
	d.Bounced += c.Bounced
}

// minute is the one of an instant; what comes late, or from before the last day, counts
// for the newest. The lock is held.
func (m *Meter) minute(at time.Time) *Minute {
	n := max(at.Unix()/60, m.last)
	if m.last == 0 {
		m.last = n - 1
	}
	for m.last = max(m.last, n-kept); m.last < n; {
		m.last++
		m.minutes[m.last%kept] = Minute{At: time.Unix(m.last*60, 0).UTC(), Queue: -1}
	}
	return &m.minutes[n%kept]
}

// destination is one by name. The lock is held.
func (m *Meter) destination(name string, at time.Time) *Destination {
	if h := at.Unix() / 3600; h > m.hourAt {
		m.hour[1] = m.hour[0]
		if h > m.hourAt+1 {
			m.hour[1] = nil
		}
		m.hour[0], m.hourAt = map[string]*Destination{}, h
	}
	d := m.hour[0][name]
	if d == nil && len(m.hour[0]) >= maxDestinations {
		name = Others
		d = m.hour[0][name]
	}
	if d == nil {
		d = &Destination{Name: name}
		m.hour[0][name] = d
	}
	return d
}

// Queued notes how many recipients are not done.
func (m *Meter) Queued(at time.Time, recipients int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minute(at).Queue = recipients
}

// Totals is what was counted since the start.
type Totals struct {
	Counts
	Fates   map[mail.Fate]int64 // attempts and decisions
	Refused map[smtp.Verb]int64 // by what was answered
	Latency Latency             // of what was delivered
}

// Totals returns them.
func (m *Meter) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Totals{m.total, maps.Clone(m.fates), maps.Clone(m.stages), m.latency}
}

// Minutes returns the last ones, at most so many, up to the one that now is in; the
// oldest first, none left out.
func (m *Meter) Minutes(now time.Time, most int) []Minute {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minute(now)
	var list []Minute
	for n := m.last - int64(min(max(most, 1), kept)) + 1; n <= m.last; n++ {
		minute := m.minutes[n%kept]
		if at := time.Unix(n*60, 0).UTC(); !minute.At.Equal(at) {
			minute = Minute{At: at, Queue: -1} // before the start
		}
		list = append(list, minute)
	}
	return list
}

// Destinations returns those to which most was tried in this hour and the one before,
// at most so many.
func (m *Meter) Destinations(most int) []Destination {
	m.mu.Lock()
	sum := map[string]Destination{}
	for _, hour := range m.hour {
		for name, d := range hour {
			s := sum[name]
			sum[name] = Destination{name, s.Delivered + d.Delivered, s.Deferred + d.Deferred, s.Bounced + d.Bounced}
		}
	}
	m.mu.Unlock()
	list := slices.SortedFunc(maps.Values(sum), func(a, b Destination) int {
		return cmp.Or(cmp.Compare(b.tries(), a.tries()), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), most)]
}

func (d *Destination) tries() int64 { return d.Delivered + d.Deferred + d.Bounced }
