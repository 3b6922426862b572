package daemon

import (
	"context"
	"path/filepath"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/find"
	"github.com/posthouse/posthouse/internal/meter"
	"github.com/posthouse/posthouse/internal/session"
)

// watch lets those hear of what happens to mail who want to see and steer.
func (w *World) watch() {
	w.meter = meter.New()
	also := w.Observe
	w.Observe = func(e event.Entry) {
		if a, is := e.Event.(*event.Accepted); is {
			w.Sessions.Brought(a.Source.Session, e.ID)
		}
		w.meter.Observe(e)
		also(e)
	}
}

// Sessions knows who speaks with the house.
func (h *House) Sessions() *session.Registry { return h.world.Sessions }

// openIndex opens the index of the journal, if there is to be one. The house does
// without it if that cannot be.
func (h *House) openIndex() {
	if !h.world.Index {
		return
	}
	x, err := find.Open(find.Options{Dir: filepath.Join(h.cfg.Data.Value, "index"), Journal: h.spool, Log: h.world.Log})
	if err != nil {
		h.world.Log.Error("the journal cannot be searched", "error", err)
		return
	}
	h.index = x
}

// keepIndex reads the journal along until over is closed.
func (h *House) keepIndex(over <-chan struct{}) {
	if h.index == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { <-over; cancel() }()
	h.index.Run(ctx)
}

// lookEvery is how often the queue is counted.
const lookEvery = 10 * time.Second

// keepMeter counts the queue now and then until over is closed.
func (h *House) keepMeter(over <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if s, err := h.spool.Stats(context.Background()); err == nil {
			h.world.meter.Queued(time.Now(), s.Fresh+s.Waiting+s.Held)
		}
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}

// Meter counts what happens to mail.
func (h *House) Meter() *meter.Meter { return h.world.meter }

// Index finds messages in the journal; nil: there is none.
func (h *House) Index() *find.Index { return h.index }
