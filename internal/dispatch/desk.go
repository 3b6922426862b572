package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// Spool is what the desk needs of a [spool.Engine].
type Spool interface {
	Open(ctx context.Context, id mail.ID) (mail.Content, error)
	Join(ctx context.Context, name string, ttl time.Duration) (spool.Owner, error)
	Beat(ctx context.Context, owner spool.Owner) error
	Lease(ctx context.Context, owner spool.Owner, want spool.Want) (spool.Taken, error)
	Release(ctx context.Context, owner spool.Owner, refs []spool.Ref) error
	Settle(ctx context.Context, owner spool.Owner, settlements []spool.Settlement) ([]spool.Settled, error)
	Alter(ctx context.Context, query spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error)
	Note(ctx context.Context, facts []spool.Fact) error
}

// Router says where a recipient goes. It is not ok if no route fits. A
// [route.Table] is one.
type Router interface {
	Route(q route.Question) (hop mail.Hop, ok bool)
}

// Settings are what a reload may change.
type Settings struct {
	Router Router
	// Transports by name, as hops have it. One that is a [transport.Planner] is
	// asked for plans, which are kept until their time. Those of the names
	// route.AliasCommand, AliasFile and AliasMaildir carry mail into what aliases in
	// the form of Unix name; without them it waits.
	Transports map[string]transport.Transport
	Queue      queue.Options
	// Hold: nothing is sent. Mail waits in the spool, as it was, for as long as the
	// settings say so, over restarts too: nobody leases it, and it neither expires
	// nor is its delay told. What operators order is kept with it; mail that they
	// return is returned when Hold ends.
	Hold bool

	// Reports come from Mailer, whose host is MTA. Both are needed.
	MTA    string
	Mailer smtp.Path
	// DoubleBounces get the reports that could not be delivered themselves. The
	// null path drops them; the journal says so.
	DoubleBounces smtp.Path
}

// Options set up a [Desk].
type Options struct {
	Settings

	Spool Spool  // needed
	Name  string // of the owner of our leases: that of the node; "" is "dispatch"
	// TTL is for how long our leases last if we do not beat; 0 is 30 seconds.
	TTL time.Duration

	// Prepare makes a draft of a report, ready to be committed with what it tells
	// of; original is nil if there is none to be had. What it tells of is not
	// recorded before it succeeds, or says by a [*smtp.Reply] 5yz that whoever is to
	// have it gets no mail here; then it goes to DoubleBounces. The mail.Source of the report's envelope has
	// mail.FromReport as its listener. It is needed.
	Prepare func(ctx context.Context, report *dsn.Report, original mail.Content) (spool.Draft, spool.Commit, error)

	// KeepBytes is how many octets of arrived mail are kept in memory until they
	// are delivered; 0 is 64 MiB. What is beyond is read back from the spool.
	KeepBytes int64

	// Observe hears of each entry once it is recorded, from the desk's own
	// goroutine: it must be quick. nil is silence.
	Observe func(event.Entry)
	// Failed hears at once of the error that Run will return; nil is silence.
	Failed func(error)
	Log    *slog.Logger // nil is silence
}

// Desk sends mail out. Make one with [New]. Its methods may be called by many
// goroutines.
type Desk struct {
	opts  Options
	inbox chan func(*loop)
	done  chan struct{} // closed when Run has ended
	owner atomic.Pointer[spool.Owner]
	term  atomic.Pointer[term] // nil: none
}

// ErrStopped says that the desk does not run any more.
var ErrStopped = errors.New("dispatch has stopped")

// New makes a desk, which does nothing before Run.
func New(o Options) *Desk {
	if o.Name == "" {
		o.Name = "dispatch"
	}
	if o.TTL <= 0 {
		o.TTL = 30 * time.Second
	}
	if o.KeepBytes <= 0 {
		o.KeepBytes = 64 << 20
	}
	if o.Observe == nil {
		o.Observe = func(event.Entry) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{opts: o, inbox: make(chan func(*loop), 256), done: make(chan struct{})}
}

// Run sends mail out until Shutdown has ended, and returns nil; or until the
// spool fails, and returns its error. When ctx ends, running deliveries are
// interrupted, and what came of them is still settled. Call it once.
func (d *Desk) Run(ctx context.Context) error {
	defer d.listen()()
	defer close(d.done)
	return newLoop(ctx, d).run()
}

// Owner is who leases for us at this time, for spool.Commit.For; the zero Owner
// if nobody does, or all mail is held.
func (d *Desk) Owner() spool.Owner {
	if o := d.owner.Load(); o != nil {
		return *o
	}
	return spool.Owner{}
}

// Arrival is a message that was just committed.
type Arrival struct {
	Owner spool.Owner  // for whom it was committed
	Lease *spool.Lease // nil: none was born
	// Text is the content, whole; nil: it is read back. It must not be changed.
	Text []byte
	// Due is when it may be tried if there is no lease.
	Due time.Time
	// Doubt is what was leased for Owner if it was committed, which nobody knows: it is
	// given back, so that whoever looks for mail finds it. Then there is no Lease.
	Doubt []spool.Ref
}

// Arrive takes an arrival. It waits while the desk has much to do, and so keeps
// mail from coming in faster than it is looked at. After Run has ended it does
// nothing: the mail is in the spool.
func (d *Desk) Arrive(a Arrival) { _ = d.tell(context.Background(), func(l *loop) { l.arrive(a) }) }

// Order gives an order about what the query chooses, as [spool.Engine] says of
// Alter: one page a call. When it returns without error the order is in the spool,
// with its fact, and the desk acts on it from then on.
func (d *Desk) Order(ctx context.Context, q spool.Query, o spool.Order) (spool.Page, error) {
	page, err := d.opts.Spool.Alter(ctx, q, o, func(it spool.Item) []byte { return event.Append(nil, ordered(&it, &o)) })
	if err == nil {
		_ = d.tell(ctx, func(l *loop) { l.altered(page.Items, o) }) // stopped: it is in the spool
	}
	return page, err
}

// Reload puts other settings in place. When it returns without error they hold
// for all that starts from then on; deliveries under way go on as they were.
func (d *Desk) Reload(ctx context.Context, s Settings) error {
	_, err := ask(ctx, d, func(l *loop) struct{} { l.reload(s); return struct{}{} })
	return err
}

// Load says how much is in the window.
func (d *Desk) Load(ctx context.Context) (queue.Load, error) {
	return ask(ctx, d, func(l *loop) queue.Load { return l.sched.Load() })
}

// Shutdown starts nothing new, waits until what is under way has been settled,
// and gives the rest back to the spool; that ends Run. When ctx ends first, running
// deliveries are interrupted: then it takes only as long as they need to notice,
// and the error is that of ctx.
func (d *Desk) Shutdown(ctx context.Context) error {
	if err := d.tell(context.Background(), func(l *loop) { l.closing = true }); err != nil {
		return nil // it has ended already
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		_ = d.tell(context.Background(), func(l *loop) { l.interrupt() })
		<-d.done
		return ctx.Err()
	}
}

// tell gives the loop something to do.
func (d *Desk) tell(ctx context.Context, m func(*loop)) error {
	select {
	case d.inbox <- m:
		return nil
	case <-d.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask waits for an answer of the loop.
func ask[T any](ctx context.Context, d *Desk, question func(*loop) T) (T, error) {
	var none T
	answer := make(chan T, 1)
	if err := d.tell(ctx, func(l *loop) { answer <- question(l) }); err != nil {
		return none, err
	}
	select {
	case got := <-answer:
		return got, nil
	case <-d.done:
		return none, ErrStopped
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
