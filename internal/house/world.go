package house

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
)

// World is everything in one bubble: a network with a name server, houses, peers, and
// the account of all mail. Make one with [NewWorld], within the bubble.
type World struct {
	testing.TB
	Seed   uint64
	Net    *simnet.Net
	Zone   *simnet.Zone
	Ledger *Ledger
	// Account follows the mail in all houses.
	Account *Account
	// Roots are the authorities in which all houses trust; nil: none that anybody here has.
	Roots *x509.CertPool
	// Quiet: only the sum of the story is kept, and not its words.
	Quiet bool

	ends     []func()
	clusters map[string]*House // one of each
	forwards map[string]string // addresses of houses that stand for others

	mu    sync.Mutex
	story []told
	sum   [2]uint64 // of the lines, in whatever order they came
	lines int
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
	w := &World{TB: t, Seed: seed, Ledger: NewLedger(), clusters: map[string]*House{}}
	w.Account = newAccount(w.Ledger)
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
	if e.What == "connected" {
		return
	}
	w.tell(e.At, "road", e.String())
	if strings.HasPrefix(e.What, "cut") {
		w.Account.broke(e.From, e.To)
	}
}

// Part takes the road between two hosts away for a time.
func (w *World) Part(a, b string, long time.Duration) {
	w.Account.broke(a, b)
	w.Account.broke(b, a)
	w.tell(time.Now(), "road", "no road between "+a+" and "+b)
	w.Net.Part(a, b)
	time.Sleep(long)
	w.Account.broke(a, b)
	w.Account.broke(b, a)
	w.tell(time.Now(), "road", "a road again between "+a+" and "+b)
	w.Net.Join(a, b)
}

func (w *World) tell(at time.Time, who, line string) {
	one, two := fnv.New64a(), fnv.New64()
	_, _ = fmt.Fprintf(io.MultiWriter(one, two), "%d %s %s", at.UnixNano(), who, line) // a hash takes everything
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines++
	w.sum[0] += one.Sum64()
	w.sum[1] += two.Sum64()
	if !w.Quiet {
		w.story = append(w.story, told{at, who, line})
	}
}

// Story is what has happened, one line each, by time.
func (w *World) Story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.story, func(a, b told) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.who, b.who), strings.Compare(a.line, b.line))
	})
	var s strings.Builder
	for _, t := range w.story {
		fmt.Fprintf(&s, "%s %-12s %s\n", t.at.UTC().Format("02 15:04:05.000000000"), t.who, t.line)
	}
	return s.String()
}

// Hash is that of the story, whatever was said first in one instant: two worlds with
// one seed have one hash.
func (w *World) Hash() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%016x%016x, %d lines", w.sum[0], w.sum[1], w.lines)
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
	p := &Peer{Name: "mx." + domain, Manners: m, Ledger: w.Ledger, Account: w.Account}
	w.announce(domain, address)
	stop, err := p.Serve(w.Context(), w.Net.Host(domain, address), ":25")
	if err != nil {
		w.Fatal(err)
	}
	w.ends = append(w.ends, stop)
	return p
}

// Store lets a peer without any manners take mail by LMTP, at port 24.
func (w *World) Store(name, address string) *Peer {
	p := &Peer{Name: "mx." + name, Ledger: w.Ledger, Account: w.Account}
	p.Server.LMTP = true
	w.announce(name, address)
	stop, err := p.Serve(w.Context(), w.Net.Host(name, address), ":24")
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

// random is octets that hang on the seed and a name. It may be read by many.
func (w *World) random(name string) io.Reader {
	var key [32]byte
	r := w.chance(name)
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return &shared{chance: rand.NewChaCha8(key)}
}

// chance is numbers that hang on the seed and a name.
func (w *World) chance(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // a hash takes everything
	return rand.New(rand.NewPCG(w.Seed, h.Sum64()))
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
