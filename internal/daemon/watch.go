package daemon

import (
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/session"
)

// watch lets those hear of what happens to mail who want to see and steer.
func (w *World) watch() {
	also := w.Observe
	w.Observe = func(e event.Entry) {
		if a, is := e.Event.(*event.Accepted); is {
			w.Sessions.Brought(a.Source.Session, e.ID)
		}
		also(e)
	}
}

// Sessions knows who speaks with the house.
func (h *House) Sessions() *session.Registry { return h.world.Sessions }
