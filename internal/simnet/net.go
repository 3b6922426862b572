package simnet

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Net.
type Options struct {
	Seed    uint64
	Weather Weather // where Between has said nothing
	// Observe hears of connections, from many goroutines; nil is silence.
	Observe func(Event)
}

// Weather is how a road between two hosts is.
type Weather struct {
	// Latency is how long an octet takes one way; 0: 1 ms. A link adds less than 1 ms of its own.
	Latency time.Duration
	// Bandwidth is how many octets a second each connection carries, each way; 0: any number.
	Bandwidth int64
	// Window is how many octets may be written and not yet read; 0: 256 KiB.
	Window int

	// Cuts is the share of connections, from 0 to 1, that break before as many octets
	// as Within have gone one way; 0: 4096. Of those so many as Silent, from 0 to 1,
	// do so without either end being told.
	Cuts   float64
	Within int64
	Silent float64
	// Loss is the share of datagrams, from 0 to 1, that do not arrive.
	Loss float64
}

func (w Weather) withDefaults() Weather {
	w.Latency = cmp.Or(w.Latency, time.Millisecond)
	w.Window = cmp.Or(w.Window, 256<<10)
	w.Within = cmp.Or(w.Within, 4096)
	return w
}

// Event is something that happened to a connection.
type Event struct {
	At       time.Time
	From, To string // hosts; From has dialled
	Address  string // that was dialled
	Nth      int    // connection from there to that address, from 1
	What     string // "connected", "refused", "cut after 1000 octets there", ...
}

func (e Event) String() string {
	return fmt.Sprintf("%s > %s %s #%d: %s", e.From, e.To, e.Address, e.Nth, e.What)
}

// Net is a network. Its methods may be called by many goroutines at once.
type Net struct {
	options Options

	mu      sync.Mutex
	hosts   map[string]*Host
	byAddr  map[netip.Addr]*Host
	weather map[pair]Weather
	parted  map[pair]bool
	links   map[*link]bool
	dialled map[string]int // connections, by from and address
	cuts    []*Cut
	changed chan struct{} // closed when a road or a host comes back
}

// pair is two hosts in either order.
type pair [2]string

func between(a, b string) pair { return pair{min(a, b), max(a, b)} }

// New makes a network without hosts.
func New(o Options) *Net {
	return &Net{
		options: o, hosts: map[string]*Host{}, byAddr: map[netip.Addr]*Host{}, weather: map[pair]Weather{},
		parted: map[pair]bool{}, links: map[*link]bool{}, dialled: map[string]int{}, changed: make(chan struct{}),
	}
}

// Host is a machine on the network.
type Host struct {
	net   *Net
	name  string
	addrs []netip.Addr
	down  atomic.Bool // it has no power

	// guarded by net.mu
	listeners map[string]*listener
	sockets   map[netip.AddrPort]*socket
	ports     uint16
}

// Host adds a host. Its name and addresses must be new; it panics if they are not,
// or are none: they are the test's own.
func (n *Net) Host(name string, addrs ...string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[name] != nil {
		panic("simnet: there are two hosts " + name)
	}
	h := &Host{net: n, name: name, listeners: map[string]*listener{}, sockets: map[netip.AddrPort]*socket{}}
	n.hosts[name] = h
	for _, s := range addrs {
		a := netip.MustParseAddr(s)
		if n.byAddr[a] != nil {
			panic("simnet: two hosts have the address " + s)
		}
		n.byAddr[a] = h
		h.addrs = append(h.addrs, a)
	}
	return h
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addrs are the host's addresses; there is never an error.
func (h *Host) Addrs() ([]netip.Addr, error) { return h.addrs, nil }

// at returns the host that has an address, as seen from h.
func (h *Host) at(a netip.Addr) *Host {
	if a.IsLoopback() || a.IsUnspecified() {
		return h
	}
	return h.net.byAddr[a]
}

// Between sets the weather between two hosts, for connections to come.
func (n *Net) Between(a, b string, w Weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weather[between(a, b)] = w
}

func (n *Net) weatherBetween(a, b string) Weather {
	w, told := n.weather[between(a, b)]
	if !told {
		w = n.options.Weather
	}
	return w.withDefaults()
}

// chance is the random stream of what has that name.
func (n *Net) chance(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // a hash takes everything
	return rand.New(rand.NewPCG(n.options.Seed, h.Sum64()))
}

// residue is a time too short to matter, so that no two links have one instant.
func residue(r *rand.Rand) time.Duration { return time.Duration(1 + r.Int64N(999_983)) }

func (n *Net) observe(e Event) {
	if n.options.Observe != nil {
		e.At = time.Now()
		n.options.Observe(e)
	}
}

// comeBack wakes those who wait for a road or a host. n.mu is held.
func (n *Net) comeBack() {
	close(n.changed)
	n.changed = make(chan struct{})
}
