package queue

import (
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Options set up a [Schedule]. The zero value is usable.
type Options struct {
	// Seed is where the spread of retry times comes from.
	Seed uint64
	// Window is how many recipients are held in memory at most; 50,000 by
	// default.
	Window int
	// Deliveries is how many deliveries there are at once in all; 500 by
	// default.
	Deliveries int
	// Shared: the limits of routes, sites and destinations hold for several schedules
	// together, which ask for their shares ([Schedule.Asks]).
	Shared bool
	// Default is for routes that Routes does not name.
	Default Route
	// Routes are the settings of single routes, by mail.Hop.Route. What one
	// of them leaves zero is the program's default, not that of Default.
	Routes map[string]Route
}

// Route is what holds for mail that goes by one route. A zero field has the
// default that is given.
type Route struct {
	Retry  Retry         // after a try that failed; default 1m, 5m, 15m, 1h..4h
	Probe  Retry         // of a destination that is down; default 1m, 2m, 5m, 10m, 20m, 30m..1h
	Expire time.Duration // given up after; default 5 days
	Warn   time.Duration // the sender hears of a delay after; default 4 h, negative: never
	Batch  int           // recipients of one delivery; default 100
	Start  int           // deliveries at once to a destination of which nothing is known; default 2

	// Own: its limits are those of this schedule alone, though others are shared.
	Own bool

	All         Limits // of the whole route; default 200 deliveries at once
	Site        Limits // of each site; default 10
	Destination Limits // of each destination; default 5; up to that there is one more for each that is answered

	Said Said // for whoever explains
}

// Said are the settings that decided about a Route; a zero Origin is a default.
type Said struct {
	Retry, Expire, Warn         mail.Origin
	All, Site, Destination      mail.Origin // deliveries at once
	AllRate, SiteRate, DestRate mail.Origin
	Batch                       mail.Origin
}

// Limits bound deliveries. One delivery is one message to some of its
// recipients, over one connection.
type Limits struct {
	// Deliveries is how many there are at once; zero is the default, negative
	// is without limit.
	Deliveries int
	// Rate is how many may begin in a time of Per, spaced evenly: 60 an hour
	// is one a minute. Zero is without limit; Per is a second by default.
	Rate int
	Per  time.Duration
}

// spacing is the least time between the beginnings of two deliveries.
func (l Limits) spacing() time.Duration {
	if l.Rate <= 0 {
		return 0
	}
	per := l.Per
	if per <= 0 {
		per = time.Second
	}
	// Rounded up, so that one more than Rate never fits into Per.
	return (per + time.Duration(l.Rate) - 1) / time.Duration(l.Rate)
}

// orElse is the limit with its default; 0 is then without limit.
func (l Limits) orElse(deliveries int) Limits {
	if l.Deliveries == 0 {
		l.Deliveries = deliveries
	}
	l.Deliveries = max(l.Deliveries, 0)
	return l
}

func (o Options) orElse() Options {
	o.Window = positive(o.Window, 50_000)
	o.Deliveries = positive(o.Deliveries, 500)
	return o
}

func (r Route) orElse() Route {
	if len(r.Retry) == 0 {
		r.Retry = Retry{{Min: time.Minute}, {Min: 5 * time.Minute}, {Min: 15 * time.Minute}, {time.Hour, 4 * time.Hour}}
	}
	if len(r.Probe) == 0 {
		r.Probe = Retry{
			{Min: time.Minute},
			{Min: 2 * time.Minute},
			{Min: 5 * time.Minute},
			{Min: 10 * time.Minute},
			{Min: 20 * time.Minute},
			{30 * time.Minute, time.Hour},
		}
	}
	r.Expire = positive(r.Expire, 5*24*time.Hour)
	if r.Warn == 0 {
		r.Warn = 4 * time.Hour
	}
	r.Batch = positive(r.Batch, 100)
	r.Start = positive(r.Start, 2)
	r.All = r.All.orElse(200)
	r.Site = r.Site.orElse(10)
	r.Destination = r.Destination.orElse(5)
	return r
}

func positive[N int | time.Duration](n, or N) N {
	if n <= 0 {
		return or
	}
	return n
}

// route returns the settings of a route.
func (o Options) route(name string) Route {
	if r, ok := o.Routes[name]; ok {
		return r.orElse()
	}
	return o.Default.orElse()
}
