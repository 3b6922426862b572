package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
)

// overviewData is how it goes.
type overviewData struct {
	admin.Overview
	Status  admin.Status
	inboxes bool  // there are some
	inbox   int64 // octets of the mail in them
}

// minutesShown is how far back the plots go.
const minutesShown = "60"

func (c *Console) overviewPage(v *visit) (any, error) {
	o, err := get[admin.Overview](v, "/v1/overview", values("minutes", minutesShown))
	if err != nil {
		return nil, err
	}
	status, err := get[admin.Status](v, "/v1/status", nil)
	d := &overviewData{Overview: o, Status: status, inboxes: c.opts.Inboxes != nil}
	if d.inboxes {
		for _, b := range c.opts.Inboxes.Inboxes() {
			d.inbox += b.Octets
		}
	}
	d.assume()
	return d, err
}

// assume puts the length of the queue into minutes in which nobody has looked: it is as it
// was before, and now as it is.
func (d *overviewData) assume() {
	was := int64(0)
	for i := range d.Minutes {
		m := &d.Minutes[i]
		if i == len(d.Minutes)-1 && m.Queue == nil {
			was = d.Waiting()
		}
		if m.Queue == nil {
			m.Queue = new(was)
		}
		was = *m.Queue
	}
}

// Up is how long the house has run.
func (d *overviewData) Up() time.Duration { return d.Now.Sub(d.Started) }

// Waiting is how many recipients are not done.
func (d *overviewData) Waiting() int64 { return d.Spool.Fresh + d.Spool.Deferred + d.Spool.Held }

// In is a plot of messages that came in, each minute: taken and refused.
func (d *overviewData) In() plot {
	return d.plot(series{"ok", "plot.accepted", func(m *admin.Minute) int64 { return m.Accepted }},
		series{"bad", "plot.refused", func(m *admin.Minute) int64 { return m.Refused }})
}

// Out is a plot of what became of recipients.
func (d *overviewData) Out() plot {
	return d.plot(series{"ok", "plot.delivered", func(m *admin.Minute) int64 { return m.Delivered }},
		series{"warn", "plot.deferred", func(m *admin.Minute) int64 { return m.Deferred }},
		series{"bad", "plot.bounced", func(m *admin.Minute) int64 { return m.Bounced }})
}

// Queue is a plot of recipients that wait.
func (d *overviewData) Queue() plot {
	return d.plot(series{"info", "plot.queue", func(m *admin.Minute) int64 { return *m.Queue }})
}

// Latencies is a plot of how long half of the mail, and nine tenths of it, took.
func (d *overviewData) Latencies() plot {
	return d.plot(series{"info", "plot.p50", func(m *admin.Minute) int64 { return m.Latency.P50 }},
		series{"warn", "plot.p90", func(m *admin.Minute) int64 { return m.Latency.P90 }})
}

// series is a line of a plot.
type series struct {
	mood, key string
	value     func(m *admin.Minute) int64
}

// plot is lines in a box of 600 by 120, from left to right in time.
type plot struct {
	Most  int64     // what the top stands for
	From  time.Time // what the left side does
	Lines []plotted
}

type plotted struct {
	Mood, Key string
	Points    string // of an SVG polyline
	Area      string // the same, closed at the bottom
	Now       int64
}

const plotWidth, plotHeight = 600.0, 120.0

func (d *overviewData) plot(all ...series) plot {
	p := plot{Most: 1, From: d.Now}
	if len(d.Minutes) > 0 {
		p.From = d.Minutes[0].At
	}
	for i := range d.Minutes {
		for _, s := range all {
			p.Most = max(p.Most, s.value(&d.Minutes[i]))
		}
	}
	for _, s := range all {
		p.Lines = append(p.Lines, d.line(s, p.Most))
	}
	return p
}

func (d *overviewData) line(s series, most int64) plotted {
	l := plotted{Mood: s.mood, Key: s.key}
	var b strings.Builder
	step := plotWidth / float64(max(len(d.Minutes)-1, 1))
	for i := range d.Minutes {
		l.Now = s.value(&d.Minutes[i])
		fmt.Fprintf(&b, "%.1f,%.1f ", float64(i)*step, plotHeight-float64(l.Now)/float64(most)*(plotHeight-6))
	}
	l.Points = strings.TrimSpace(b.String())
	l.Area = fmt.Sprintf("0,%g %s %g,%g", plotHeight, l.Points, plotWidth, plotHeight)
	return l
}
