package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/meter"
)

// metrics answers Prometheus. No label has values that a stranger chooses.
func (a *API) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{a}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: patience})
}

// collector tells the house's own metrics.
type collector struct{ a *API }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("posthouse_"+name, help, labels, nil)
}

// The metrics: a page of the documentation lists them (docs/metrics.md).
var (
	descBuild     = desc("build_info", "1, with the version of the program.", "version")
	descAccepted  = desc("accepted_messages_total", "Messages that were taken in.")
	descBytes     = desc("accepted_bytes_total", "Octets of the messages that were taken in.")
	descRefused   = desc("refused_total", "Refusals told to clients, by the command that was answered.", "stage")
	descOutcomes  = desc("outcomes_total", "What became of recipients at each attempt or decision, by fate.", "fate")
	descReports   = desc("reports_total", "Delivery reports that were made.")
	descLatency   = desc("delivery_seconds", "Time from taking in to delivery, by recipient.")
	descQueue     = desc("queue_recipients", "Recipients that are not done, by state.", "state")
	descMessages  = desc("queue_messages", "Messages that are not done.")
	descSpool     = desc("spool_bytes", "Octets of the messages that are not done.")
	descDamaged   = desc("damaged_messages", "Messages in quarantine.")
	descFree      = desc("disk_free_bytes", "Octets of the spool's disk that are free.")
	descRefusing  = desc("disk_full", "1 while new mail is refused because the disk is nearly full.")
	descFacts     = desc("journal_entries", "Entries of the journal.")
	descFactBytes = desc("journal_bytes", "Octets of the journal.")
	descWindow    = desc("window_recipients", "Recipients whose schedule is in memory.")
	descInFlight  = desc("deliveries_in_flight", "Deliveries that are under way.")
	descDests     = desc("destinations", "Destinations of which something is known.")
	descSessions  = desc("sessions", "Connections on which SMTP is spoken, by direction.", "direction")
	descBehind    = desc("search_behind_seconds", "How far the search is behind the journal.")
	descExpiry    = desc("certificate_expiry_seconds", "Unix time at which the first of the certificates that clients are shown expires.")
)

// Describe implements [prometheus.Collector].
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descBuild, descAccepted, descBytes, descRefused, descOutcomes, descReports, descLatency, descQueue, descMessages,
		descSpool, descDamaged, descFree, descRefusing, descFacts, descFactBytes, descWindow, descInFlight, descDests,
		descSessions, descBehind, descExpiry,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out := outlet(ch)
	o := &c.a.opts
	out.gauge(descBuild, 1, o.Version)
	out.totals(o.Meter.Totals())
	if s, err := o.Spool.Stats(ctx); err == nil {
		out.gauge(descQueue, float64(s.Fresh), "fresh")
		out.gauge(descQueue, float64(s.Waiting), "deferred")
		out.gauge(descQueue, float64(s.Held), "held")
		out.gauge(descMessages, float64(s.Messages))
		out.gauge(descSpool, float64(s.Bytes))
		out.gauge(descDamaged, float64(s.Damaged))
		out.gauge(descRefusing, truth(s.Refusing))
		out.gauge(descFacts, float64(s.Facts))
		out.gauge(descFactBytes, float64(s.FactBytes))
		if s.Free >= 0 {
			out.gauge(descFree, float64(s.Free))
		}
	}
	if l, err := o.Dispatch.Load(ctx); err == nil {
		out.gauge(descWindow, float64(l.Recipients))
		out.gauge(descInFlight, float64(l.InFlight))
		out.gauge(descDests, float64(l.Destinations))
	}
	if o.Sessions != nil {
		in, sent := o.Sessions.Count()
		out.gauge(descSessions, float64(in), "in")
		out.gauge(descSessions, float64(sent), "out")
	}
	if o.Find != nil {
		out.gauge(descBehind, o.Find.Behind().Seconds())
	}
	if at, known := c.a.firstExpiry(); known {
		out.gauge(descExpiry, float64(at.Unix()))
	}
}

// firstExpiry is when the first certificate expires.
func (a *API) firstExpiry() (first time.Time, known bool) {
	if a.opts.Certificates == nil {
		return first, false
	}
	for _, c := range a.opts.Certificates() {
		if !c.Until.IsZero() && (!known || c.Until.Before(first)) {
			first, known = c.Until, true
		}
	}
	return first, known
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// outlet is where metrics go. Labels are ours, so that none can be refused.
type outlet chan<- prometheus.Metric

func (o outlet) gauge(d *prometheus.Desc, v float64, labels ...string) {
	o <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (o outlet) counter(d *prometheus.Desc, v int64, labels ...string) {
	o <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (o outlet) totals(t meter.Totals) {
	o.counter(descAccepted, t.Accepted)
	o.counter(descBytes, t.Bytes)
	o.counter(descReports, t.Reported)
	for stage, n := range t.Refused {
		o.counter(descRefused, n, stage.String())
	}
	for fate := mail.Delivered; fate <= mail.Expanded; fate++ { // those that are 0 too, so that rates begin
		o.counter(descOutcomes, t.Fates[fate], fate.String())
	}
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, n := range t.Latency.Classes {
		sum += uint64(n)
		buckets[meter.Bound(i).Seconds()] = sum
	}
	o <- prometheus.MustNewConstHistogram(descLatency, sum, t.Latency.Sum.Seconds(), buckets)
}
