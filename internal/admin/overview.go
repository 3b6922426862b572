package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/posthouse/posthouse/internal/meter"
)

// Meter is what is asked of a [meter.Meter].
type Meter interface {
	Totals() meter.Totals
	Minutes(now time.Time, most int) []meter.Minute
	Destinations(most int) []meter.Destination
}

// Overview is how it goes: the last minutes, and all since the start.
type Overview struct {
	Now          time.Time          `json:"now"`
	Started      time.Time          `json:"started,omitzero"`
	Minutes      []Minute           `json:"minutes"` // the oldest first; the last one is not over
	Totals       Rates              `json:"totals"`  // since the start
	Latency      Latency            `json:"latency"` // of what was delivered in these minutes
	Destinations []DestinationRates `json:"destinations"`
	Sessions     SessionCount       `json:"sessions"`
	Window       Window             `json:"window"`
	Spool        Spooled            `json:"spool"`
	Behind       int64              `json:"behind_ms"` // how far the search is behind
}

// Rates are counts of messages where they are taken in, and of recipients else.
type Rates struct {
	Accepted  int64 `json:"accepted"`
	Bytes     int64 `json:"bytes"` // of what was accepted
	Refused   int64 `json:"refused"`
	Delivered int64 `json:"delivered"`
	Deferred  int64 `json:"deferred"` // attempts
	Bounced   int64 `json:"bounced"`  // failed and expired
	Discarded int64 `json:"discarded"`
	Reported  int64 `json:"reported"`
}

// Minute is one of them.
type Minute struct {
	At time.Time `json:"at"`
	Rates
	Queue   *int64  `json:"queue,omitempty"` // recipients that were not done; none: it was not looked
	Latency Latency `json:"latency"`
}

// Latency is how long it took from taking in to delivery.
type Latency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50_ms"`
	P90   int64 `json:"p90_ms"`
	P99   int64 `json:"p99_ms"`
}

// DestinationRates are those of one destination, in this hour and the one before.
type DestinationRates struct {
	Name      string `json:"name"`
	Delivered int64  `json:"delivered"`
	Deferred  int64  `json:"deferred"`
	Bounced   int64  `json:"bounced"`
}

// SessionCount is how many sessions there are.
type SessionCount struct {
	In  int `json:"in"`
	Out int `json:"out"`
}

const (
	usualMinutes    = 60
	topDestinations = 10
)

func latencyOf(l *meter.Latency) Latency {
	return Latency{
		l.Count(), l.Quantile(0.5).Milliseconds(), l.Quantile(0.9).Milliseconds(), l.Quantile(0.99).Milliseconds(),
	}
}

func (a *API) overview(r *http.Request) (any, error) {
	v, err := asked(r, "minutes")
	if err != nil {
		return nil, err
	}
	minutes := usualMinutes
	if s := v.Get("minutes"); s != "" {
		if minutes, err = strconv.Atoi(s); err != nil || minutes < 1 || minutes > 24*60 {
			return nil, wrong("minutes %q is no number from 1 to 1440", s)
		}
	}
	stats, err := a.opts.Spool.Stats(r.Context())
	if err != nil {
		return nil, err
	}
	load, err := a.opts.Dispatch.Load(r.Context())
	if err != nil {
		return nil, err
	}
	out := Overview{Now: time.Now().UTC(), Started: a.opts.Started, Window: Window(load), Spool: spooled(&stats), Totals: Rates(a.opts.Meter.Totals().Counts)}
	out.recent(a.opts.Meter, minutes)
	if a.opts.Sessions != nil {
		out.Sessions.In, out.Sessions.Out = a.opts.Sessions.Count()
	}
	if a.opts.Find != nil {
		out.Behind = a.opts.Find.Behind().Milliseconds()
	}
	return out, nil
}

// recent fills in the last minutes.
func (o *Overview) recent(m Meter, minutes int) {
	o.Minutes, o.Destinations = []Minute{}, []DestinationRates{}
	var all meter.Latency
	for _, minute := range m.Minutes(o.Now, minutes) {
		all.Add(&minute.Latency)
		one := Minute{At: minute.At, Rates: Rates(minute.Counts), Latency: latencyOf(&minute.Latency)}
		if minute.Queue >= 0 {
			one.Queue = &minute.Queue
		}
		o.Minutes = append(o.Minutes, one)
	}
	o.Latency = latencyOf(&all)
	for _, d := range m.Destinations(topDestinations) {
		o.Destinations = append(o.Destinations, DestinationRates(d))
	}
}
