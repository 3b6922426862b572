package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/find"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/policy/ratelimit"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/transfer"
)

// LastWords is how long sessions, and then deliveries, get to come to their end when
// the house ends: about as long as a supervisor waits before it kills.
const LastWords = 8 * time.Second

// House is a mail system. Make one with [New].
type House struct {
	world *World
	spool spool.Engine
	node  string // the owner of our leases
	in    *intake.Desk
	out   *dispatch.Desk
	fault chan error     // why it cannot go on; the first counts
	work  sync.WaitGroup // what runs beside Run
	drop  atomic.Pointer[intake.Drop]
	book  *login.Book                  // of failed logins
	keys  atomic.Pointer[certificates] // of the rooms

	states states // of the spool
	index  *find.Index

	// turn is held by who changes what follows: Run at its beginning and end, and
	// Reload.
	turn    chan struct{}
	cfg     *config.Config
	rooms   *rooms
	sockets map[endpoint]*socket
	views   []*view   // at which rooms.servers accept
	retired []*server // of configurations before, whose sessions go on
	serving bool
}

// New opens the spool of a configuration, builds its rooms and listens; nobody is
// answered before [House.Run]. What is wrong with the configuration is told in an error of
// type [config.Problems].
func New(ctx context.Context, c *config.Config, w World) (*House, error) {
	w.setDefaults()
	h := &House{
		world: &w, cfg: c, in: intake.New(intake.Options{}),
		book:  login.NewBook(login.Budget{}),
		fault: make(chan error, 1), turn: make(chan struct{}, 1), sockets: map[endpoint]*socket{},
	}
	h.states.rates = ratelimit.NewTable(0)
	w.inboxes = &inboxes{states: &h.states}
	if err := w.inboxes.open(&w, c); err != nil {
		return nil, err
	}
	built := false
	defer func() {
		if !built {
			_ = w.inboxes.close()
		}
	}()
	r, err := build(ctx, &w, c, h.in, &h.states)
	if err != nil {
		return nil, err
	}
	h.rooms = r
	if h.spool, err = w.Spool(c); err != nil {
		r.close(ctx)
		return nil, spoolFault(c, err)
	}
	if err := transfer.Usable(ctx, h.spool); err != nil {
		r.close(ctx)
		return nil, errors.Join(spoolFault(c, err), h.spool.Close())
	}
	h.states.open(h.spool)
	r.keys.acme.look(ctx)
	if err := w.inboxes.join(ctx, c); err != nil {
		r.close(ctx)
		return nil, errors.Join(err, h.spool.Close())
	}
	h.openIndex()
	if err := w.makeDrop(c); err != nil {
		r.close(ctx)
		return nil, errors.Join(err, h.spool.Close())
	}
	if h.node = house; c.Spool.Shared() {
		h.node = c.NodeName()
	}
	h.out = dispatch.New(dispatch.Options{
		Settings: r.out, Spool: h.spool, Name: h.node, Prepare: w.Report(h.in.Prepare),
		KeepBytes: c.Queue.Memory.Value,
		Observe:   w.Observe, Failed: h.fail, Log: w.Log,
	})
	h.in.Reload(h.joined(r, c))
	if err = h.listen(ctx, r, c); err != nil {
		r.close(ctx)
		return nil, errors.Join(err, h.spool.Close())
	}
	built = true
	return h, nil
}

// spoolFault says why the spool of a configuration cannot be used.
func spoolFault(c *config.Config, err error) error {
	var problems config.Problems
	var database *DatabaseError
	switch {
	case errors.As(err, &problems), errors.As(err, &database):
		return err
	case c.Spool.Shared():
		return &DatabaseError{c.Spool.Postgres.Origin, err}
	}
	return &SpoolError{c.Data.Value, err}
}

// SpoolError says why the spool in a data directory could not be opened.
type SpoolError struct {
	Data string
	Err  error
}

func (e *SpoolError) Error() string { return fmt.Sprintf("spool in %s: %v", e.Data, e.Err) }

// Unwrap returns the reason.
func (e *SpoolError) Unwrap() error { return e.Err }

// joined are the options of the desk that takes mail in, which it hands to the other.
func (h *House) joined(r *rooms, c *config.Config) intake.Options {
	o := (&builder{world: h.world, cfg: c}).options(r)
	o.Spool = h.spool
	h.veil(r, c)
	o.Logins = h.door(r, c)
	h.keys.Store(r.keys)
	h.states.relays.now.Store(&r.relays)
	h.drop.Store(&intake.Drop{Desk: h.in, MessageSize: c.Limits.MessageSize.Value})
	o.Owner = h.out.Owner
	o.Arrived = func(a intake.Arrival) { h.out.Arrive(dispatch.Arrival(a)) }
	return o
}

// Spool is where the mail of the house is.
func (h *House) Spool() spool.Engine { return h.spool }

// In is the desk that takes mail in.
func (h *House) In() *intake.Desk { return h.in }

// Out is the desk that sends mail out.
func (h *House) Out() *dispatch.Desk { return h.out }

// Config is the configuration that holds.
func (h *House) Config() *config.Config {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	return h.cfg
}

// fail notes why the house cannot go on.
func (h *House) fail(err error) {
	select {
	case h.fault <- err:
	default: // there was a reason before
	}
}

// Run answers and delivers until ctx ends, and returns nil; or until it cannot go on,
// and returns why. In both cases it ends what it began, as the package says. Call
// it once.
func (h *House) Run(ctx context.Context) error {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := h.out.Run(context.WithoutCancel(ctx)); err != nil {
			h.fail(err)
		}
	}()
	over := make(chan struct{})
	h.work.Go(func() { h.watch(over) })
	h.work.Go(func() { h.obey(over) })
	h.work.Go(func() { h.renew(over) })
	h.work.Go(func() { h.keepIndex(over) })
	h.work.Go(func() { h.keepMeter(over) })
	h.keepCounts(over)
	stopSweeping := h.sweep(context.WithoutCancel(ctx))
	stopReporting := h.report(context.WithoutCancel(ctx))
	h.turn <- struct{}{}
	h.serving = true
	h.serve()
	<-h.turn

	var err error
	select {
	case <-ctx.Done():
		h.world.Log.Info("ending", "longest", LastWords.String())
	case err = <-h.fault:
		h.world.Log.Error("ending, since the house cannot go on", "err", err)
	}
	close(over)
	stopSweeping()
	stopReporting()
	if fault := h.end(context.WithoutCancel(ctx), sent); err == nil {
		err = fault
	}
	return err
}

// watch hears of a write that has failed, whoever made it.
func (h *House) watch(over <-chan struct{}) {
	engine, ok := h.spool.(interface {
		Failed() <-chan struct{}
		Err() error
	})
	if !ok {
		return
	}
	select {
	case <-engine.Failed():
		h.fail(fmt.Errorf("%w: %w", spool.ErrFailed, engine.Err()))
	case <-over:
	}
}

// end brings everything to its end: first who brings mail, then who carries it away,
// then the spool.
func (h *House) end(ctx context.Context, sent <-chan struct{}) error {
	patience, cancel := context.WithTimeout(ctx, LastWords)
	defer cancel()
	h.turn <- struct{}{}
	h.serving = false // from now on a reload is refused, and nothing changes any more
	<-h.turn
	for _, v := range h.views {
		v.Close()
	}
	for _, s := range h.sockets {
		s.close()
	}
	var sessions sync.WaitGroup
	for _, s := range append(h.retired, h.rooms.servers...) {
		sessions.Go(func() {
			if s.Shutdown(patience) != nil {
				_ = s.Close() // whoever is cut was not told 250
			}
		})
	}
	sessions.Wait()
	_ = h.out.Shutdown(patience) // what did not come to its end is deferred
	<-sent
	h.rooms.close(patience)
	h.work.Wait()
	_ = h.world.inboxes.close() // nothing hangs on it: what is kept is synced
	return h.spool.Close()
}
