package house

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// World is everything in one bubble: a network with a name server, houses, peers, and
// the account of all mail. Make one with [NewWorld], within the bubble.
type World struct {
	testing.TB
	Seed   uint64
	Net    *simnet.Net
	Zone   *simnet.Zone
	Ledger *Ledger

	ends []func()

	mu    sync.Mutex
	story []told
}

// told is a line of the story.
type told struct {
	at   time.Time
	who  string
	line string
}

const (
	nameServer   = "192.0.2.53"
	nameServerAt = nameServer + ":53"
)

// NewWorld makes a world with nobody in it.
func NewWorld(t testing.TB, seed uint64, weather simnet.Weather) *World {
	w := &World{TB: t, Seed: seed, Ledger: NewLedger()}
	w.Net = simnet.New(simnet.Options{Seed: seed, Weather: weather, Observe: w.road})
	w.Zone = &simnet.Zone{}
	stop, err := w.Zone.Serve(t.Context(), w.Net.Host("dns", nameServer), ":53")
	if err != nil {
		t.Fatal(err)
	}
	w.ends = append(w.ends, stop)
	return w
}

// End ends everybody, the last who came first.
func (w *World) End() {
	for _, end := range slices.Backward(w.ends) {
		end()
	}
}

// road puts what becomes of connections into the story, but for the ordinary.
func (w *World) road(e simnet.Event) {
	if e.What != "connected" {
		w.tell(e.At, "road", e.String())
	}
}

func (w *World) tell(at time.Time, who, line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, told{at, who, line})
}

// Story is what has happened, one line each, by time.
func (w *World) Story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.story, func(a, b told) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.who+a.line, b.who+b.line)
	})
	var s strings.Builder
	for _, t := range w.story {
		fmt.Fprintf(&s, "%s %s: %s\n", t.at.UTC().Format("02 15:04:05.000000000"), t.who, t.line)
	}
	return s.String()
}

// Hash is that of the story: two worlds with one seed have one hash.
func (w *World) Hash() string {
	sum := sha256.Sum256([]byte(w.Story()))
	return hex.EncodeToString(sum[:])
}

// Told is how many lines of the story have all the words.
func (w *World) Told(words ...string) (n int) {
	for line := range strings.Lines(w.Story()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			n++
		}
	}
	return n
}

// Peer lets a peer take mail for a domain, at an address that is its own.
func (w *World) Peer(domain, address string, m Manners) *Peer {
	p := &Peer{Name: "mx." + domain, Manners: m, Ledger: w.Ledger}
	w.announce(domain, address)
	stop, err := p.Serve(w.Context(), w.Net.Host(domain, address), ":25")
	if err != nil {
		w.Fatal(err)
	}
	w.ends = append(w.ends, stop)
	return p
}

// announce tells the DNS of a domain.
func (w *World) announce(domain, address string) {
	typ := "A"
	if netip.MustParseAddr(address).Is6() {
		typ = "AAAA"
	}
	if err := w.Zone.Add(fmt.Sprintf("%s MX 10 mx.%s\nmx.%s %s %s", domain, domain, domain, typ, address)); err != nil {
		w.Fatal(err)
	}
}

// House is one of ours, over a spool in memory that outlives its programs.
type House struct {
	Name string
	*daemon.House
	world   *World
	text    string
	host    *simnet.Host
	spool   *memspool.Spool
	lives   int
	powered atomic.Int64 // the life that has power; 0: none
	stop    context.CancelFunc
	ended   chan error
}

// House begins a house for a domain, at an address that is its own.
func (w *World) House(domain, address, configuration string) *House {
	w.announce(domain, address)
	h := &House{Name: domain, world: w, text: configuration, host: w.Net.Host(domain, address)}
	h.spool = memspool.New(memspool.Options{Random: w.random("ids of " + domain)})
	h.begin()
	w.ends = append(w.ends, h.end)
	return h
}

// random is octets that hang on the seed and a name. It may be read by many.
func (w *World) random(name string) io.Reader {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // a hash takes everything
	var key [32]byte
	r := rand.New(rand.NewPCG(w.Seed, h.Sum64()))
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return &shared{chance: rand.NewChaCha8(key)}
}

type shared struct {
	mu     sync.Mutex
	chance *rand.ChaCha8
}

func (s *shared) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chance.Read(p)
}

// begin begins a life of the house.
func (h *House) begin() {
	h.world.Helper()
	h.lives++
	h.powered.Store(int64(h.lives))
	c, err := config.Parse(h.Name+".hcl", []byte(h.text), config.Options{})
	if err != nil {
		h.world.Fatal(err)
	}
	if h.House, err = daemon.New(h.world.Context(), c, h.outside()); err != nil {
		h.world.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.ended = stop, make(chan error, 1)
	run, ended := h.Run, h.ended
	go func() { ended <- run(ctx) }()
}

// outside is the world of a house.
func (h *House) outside() daemon.World {
	life := fmt.Sprintf("%s, life %d", h.Name, h.lives)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return h.host.Dial(ctx, netip.Addr{}, network, address)
	}
	engine := h.spool
	return daemon.World{
		Listen: h.host.Listen, Dial: h.host.Dial, Addrs: h.host.Addrs,
		Resolver: &dnsclient.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort(nameServerAt)}, Dial: dial},
		Spool:    func(*config.Config) (spool.Engine, error) { return engine, nil },
		Env:      func(string) (string, bool) { return "", false },
		Random:   h.world.random(life), Seed: h.world.Seed ^ uint64(h.lives),
		Observe: h.observe(h.lives),
	}
}

// observe is what a life tells the story, as long as it has power.
func (h *House) observe(life int) func(event.Entry) {
	return func(e event.Entry) {
		if h.powered.Load() == int64(life) {
			h.world.tell(e.At, h.Name, e.Line())
		}
	}
}

// Crash cuts the power of the house, and gives it back after a while. What its
// spool had not made durable is forgotten.
func (h *House) Crash(off time.Duration) {
	h.powered.Store(0)
	h.world.tell(time.Now(), h.Name, "power lost")
	h.spool = h.spool.Crash()
	h.host.Crash()
	h.stop()
	<-h.ended // of the old life nobody hears, whatever it says
	time.Sleep(off)
	h.world.tell(time.Now(), h.Name, "power is back")
	h.begin()
}

// Left is how many messages are in the spool.
func (h *House) Left() int64 {
	st, err := h.spool.Stats(context.Background())
	if err != nil {
		h.world.Fatal(err)
	}
	return st.Messages
}

func (h *House) end() {
	h.stop()
	if err := <-h.ended; err != nil {
		h.world.Errorf("%s ended with %v", h.Name, err)
	}
}
