package house

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
)

// House is one of ours, with a store that outlives its programs.
type House struct {
	Name string
	*daemon.House
	node    string // its own name, if it is one of several of the Name
	world   *World
	text    string
	host    *simnet.Host
	store   Store
	engine  atomic.Pointer[spool.Engine]
	lives   int
	powered atomic.Int64 // the life that has power; 0: none
	stop    context.CancelFunc
	ended   chan error
	dead    bool
	local   bool // its disk has Maildirs and a drop directory
}

// House begins a house for a domain, at an address that is its own. A nil store is
// one in memory.
func (w *World) House(domain, address, configuration string, s Store) *House {
	w.announce(domain, address)
	if s == nil {
		s = w.memory(domain)
	}
	h := &House{Name: domain, world: w, text: configuration, host: w.Net.Host(domain, address), store: s}
	h.open()
	h.begin()
	w.ends = append(w.ends, h.end)
	return h
}

// Node begins a node of a cluster, at an address that is its own. The store is its seat
// at the base of the cluster.
func (w *World) Node(cluster, node, address, configuration string, s Store) *House {
	w.announce(cluster, address)
	h := &House{Name: cluster, node: node, world: w, text: configuration, host: w.Net.Host(node, address), store: s}
	w.Account.belongs(node, cluster)
	if w.clusters[cluster] == nil {
		w.clusters[cluster] = h
	}
	h.open()
	h.begin()
	w.ends = append(w.ends, h.end)
	return h
}

// who is the name of the house in the story.
func (h *House) who() string { return cmp.Or(h.node, h.Name) }

// Engine is the spool, as the present life has it; that of a cluster as it is, without a
// line in between.
func (h *House) Engine() spool.Engine {
	if s, is := h.store.(*seat); is {
		return s.base.now()
	}
	return *h.engine.Load()
}

// open opens the store for another life.
func (h *House) open() {
	if err := h.tryOpen(); err != nil {
		h.world.Fatal(err)
	}
}

func (h *House) tryOpen() error {
	engine, err := h.store.Open()
	if err == nil {
		h.engine.Store(&engine)
	}
	return err
}

// begin begins a life of the house, which must be able to.
func (h *House) begin() {
	h.world.Helper()
	for err := h.tryBegin(); err != nil; err = h.tryBegin() {
		if h.node == "" {
			h.world.Fatal(err)
		}
		time.Sleep(time.Second) // a supervisor begins it again
		h.open()
	}
}

// tryBegin begins a life, unless what was opened fails the house as it begins.
func (h *House) tryBegin() error {
	h.lives++
	h.powered.Store(int64(h.lives))
	c, err := config.Parse(h.Name+".hcl", []byte(h.text), config.Options{})
	if err != nil {
		h.world.Fatal(err)
	}
	if h.House, err = daemon.New(h.world.Context(), c, h.outside()); err != nil {
		h.powered.Store(0)
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.ended = stop, make(chan error, 1)
	run, ended := h.Run, h.ended
	go func() { ended <- run(ctx) }()
	return nil
}

// Reload puts another configuration in place.
func (h *House) Reload(configuration string) error {
	c, err := config.Parse(h.Name+".hcl", []byte(configuration), config.Options{})
	if err != nil {
		return err
	}
	h.text = configuration
	return h.House.Reload(context.Background(), c)
}

// outside is the world of a house.
func (h *House) outside() daemon.World {
	life := int64(h.lives)
	dial := func(ctx context.Context, local netip.Addr, network, address string) (net.Conn, error) {
		if h.powered.Load() != life {
			return nil, errNoPower
		}
		return h.host.Dial(ctx, local, network, address)
	}
	ask := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, netip.Addr{}, network, address)
	}
	engine := *h.engine.Load()
	world := daemon.World{
		Listen: h.host.Listen, Dial: dial, Addrs: h.host.Addrs,
		Resolver: &dnsclient.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort(nameServerAt)}, Dial: ask, TrustAD: true},
		Roots:    h.world.Roots,
		Spool:    func(*config.Config) (spool.Engine, error) { return engine, nil },
		Env:      func(string) (string, bool) { return "", false },
		Carry:    h.spread, Report: h.spreadReports,
		Random: h.world.random(fmt.Sprintf("%s, life %d", h.who(), life)), Seed: h.world.Seed ^ uint64(life),
		Observe: h.observe(life),
	}
	if room := h.mailroom(); room != nil {
		world.Drops, world.Maildirs = drops{room}, mailboxes{room}
	}
	return world
}

var errNoPower = errors.New("the house has no power")

// observe is what a life tells, as long as it has power.
func (h *House) observe(life int64) func(event.Entry) {
	return func(e event.Entry) {
		if h.powered.Load() == life {
			h.world.tell(e.At, h.who(), telling(&e))
			if h.node == "" { // what happens in a cluster its base tells
				h.world.Account.hear(h, e)
			}
		}
	}
}

// telling is the line of an event, without the Message-ID of a report: that is drawn from the
// same chance as the numbers of questions to the DNS, and whoever is first has the first.
func telling(e *event.Entry) string {
	if t, is := e.Event.(*event.Accepted); is && t.Source.Listener == "report" {
		plain := *t
		plain.MessageID = ""
		return (&event.Entry{ID: e.ID, Event: &plain}).Line()
	}
	return e.Line()
}

// Crash cuts the power of the house, and gives it back after a while. What its
// store had not made durable is lost.
func (h *House) Crash(off time.Duration) {
	at := h.lose("power lost")
	time.Sleep(off)
	h.rise(at)
}

// lose ends a life as a power cut does.
func (h *House) lose(how string) (at time.Time) {
	at = time.Now()
	h.powered.Store(0)
	h.world.tell(at, h.who(), how)
	h.world.Account.broke("", h.who())
	h.store.Crash()
	h.host.Crash()
	h.stop()
	<-h.ended // of the old life nobody hears, whatever it says
	return at
}

// rise begins the life after a crash, with what is left.
func (h *House) rise(crash time.Time) {
	h.open()
	h.world.tell(time.Now(), h.who(), "power is back")
	if h.node == "" { // the mail of a cluster is not in its nodes
		h.world.Account.crashed(h, crash)
	}
	h.begin()
}

// Die ends a node for good: nobody tells the others.
func (h *House) Die() {
	h.lose("power lost for good")
	h.dead = true
}

// Left is how many messages are in the spool.
func (h *House) Left() int64 {
	st, err := h.Engine().Stats(context.Background())
	if err != nil {
		h.world.Fatal(err)
	}
	return st.Messages
}

func (h *House) end() {
	if h.dead {
		return
	}
	h.stop()
	if err := <-h.ended; err != nil {
		h.world.Errorf("%s ended with %v", h.Name, err)
	}
}

// spread has each delivery begin at an instant of its own: of several that begin
// at once nobody could say which has the first connection, and so the better luck. The instant hangs
// on the message and its recipient only.
func (h *House) spread(t transport.Transport) transport.Transport {
	s := spreading{t, h.world.Seed, nil}
	s.seat, _ = h.store.(*seat)
	if p, is := t.(transport.Planner); is {
		return spreadingPlanner{s, p}
	}
	return s
}

// spreadReports does the same for reports, each of which takes an ID.
func (h *House) spreadReports(next daemon.Writer) daemon.Writer {
	return func(ctx context.Context, r *dsn.Report, original mail.Content) (spool.Draft, spool.Commit, error) {
		_ = rest(ctx, instant(10*time.Millisecond, h.world.Seed, r.Through, r.To.String(), len(r.Recipients), r.Recipients[0].Final))
		return next(ctx, r, original)
	}
}

// instant is a time within so long that hangs on what is told and nothing else.
func instant(within time.Duration, what ...any) time.Duration {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, what...) // a hash takes everything
	return time.Duration(1 + h.Sum64()%uint64(within))
}

type spreading struct {
	transport.Transport
	seed uint64
	seat *seat // of a node
}

type spreadingPlanner struct {
	spreading
	transport.Planner
}

// Deliver implements [transport.Transport].
func (s spreading) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	if s.seat != nil {
		s.seat.base.holds(s.seat, d.Envelope.ID, d.Recipients)
		defer s.seat.awake(ctx)
		s.seat.awake(ctx)
	}
	_ = rest(ctx, instant(200*time.Millisecond, s.seed, d.Envelope.ID, d.Recipients))
	return s.Transport.Deliver(ctx, d) // which sees itself if ctx has ended
}

// Close closes what can be closed.
func (s spreading) Close(ctx context.Context) error {
	switch t := s.Transport.(type) {
	case interface{ Close(context.Context) error }:
		return t.Close(ctx)
	case interface{ Close() error }:
		return t.Close()
	}
	return nil
}
