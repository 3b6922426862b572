package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// Drain says whether the desk is to be without mail: it gives back what it has on
// lease and leases nothing, until it is told otherwise. Deliveries under way come to their end.
// Mail that waits may be sent by another node meanwhile.
func (d *Desk) Drain(ctx context.Context, on bool) error {
	_, err := ask(ctx, d, func(l *loop) struct{} { l.drain(on); return struct{}{} })
	return err
}

func (l *loop) drain(on bool) {
	l.draining = on
	l.tellOwner()
	l.lookAt(time.Now())
}

// holds: nothing is begun, and nothing is leased.
func (l *loop) holds() bool { return l.Hold || l.draining }

// between is how long at least passes from one look at the spool to the next, if all
// that has happened is that another node has left something.
const between = 50 * time.Millisecond

// listen hears of a spool that is shared what other nodes leave in it, until Run has
// ended; it returns what waits for the end of that.
func (d *Desk) listen() (wait func()) {
	shared, is := d.opts.Spool.(spool.Waker)
	if !is {
		return func() {}
	}
	wake := shared.Wake(d.opts.Name)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-wake:
				_ = d.tell(context.Background(), func(l *loop) { l.lookAt(maxTime(time.Now(), l.looked.Add(between))) })
			case <-d.done:
				return
			}
		}
	})
	return listening.Wait
}
