package house

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Town is a road of three houses: clients bring mail to the first, which hands it to
// the second, which hands it to the third, which takes it to peers of all manners. Or it is a cluster,
// to whose nodes clients bring mail as they like.
type Town struct {
	*World
	Houses []*House
	plan   Plan
	base   *Base    // of the cluster; nil: the houses are a road
	doors  []string // where clients find the cluster
	// refuses are parts of "key recipient" where somebody said yes, and the letter goes
	// nowhere: it is refused in the end, or dropped.
	refuses []string
	dropped []string // letters that are in a drop directory for sure, by key
}

// Plan is what happens in a town. The zero Plan is a calm day with no mail.
type Plan struct {
	Letters int // in all
	Clients int // that send them; 0: 16
	// Every is how long a client rests between two letters, about; 0: 2 seconds.
	Every time.Duration
	// Storm: roads break, datagrams are lost, name servers fail, houses lose power.
	Storm bool
	// Pebble: houses keep their mail on simulated disks, by the engine that is used
	// in earnest.
	Pebble bool
	Quiet  bool // the words of the story are not kept
	// Nodes: that many nodes, which share one base, are in the place of the three
	// houses.
	Nodes int
}

// onward is the configuration of a house that hands mail to the next one.
const onward = `
hostname = "mx.%s"
data     = "/nowhere"
postmaster = "postmaster@peer0.test"
retry    = ["1m", "5m", "15m", "30m..1h"]
expire   = "12h"
warn     = "2h"
listen "smtp" {
  address = "%s:25"
  tls     = "off"
}
relay { networks = "%s" }
`

const (
	town1 = onward + `
domain "a.test" {
  deliver = "store"
  mailboxes = ["ann", "bob"]
  forward "gone" {
    to     = "former@peer0.test"
    answer = 250
  }
}
route "store" {
  lmtp = "192.0.2.30:24"
  tls     = "never"
}
route "onward" {
  smarthost = "mx.b.test:25"
  tls       = "never"
  limits {
    destination = 20
    site        = 20
  }
}
`
	town2 = onward + `
route "onward" {
  smarthost = "mx.c.test:25"
  tls       = "never"
  limits {
    destination = 20
    site        = 20
  }
}
`
	town3 = onward + `
route "default" {
  remote = true
  tls    = "never"
  limits {
    destination = 20
    site        = 20
  }
}
`
)

// stormy is bad weather: one connection in five breaks, of those one in five without
// anybody hearing of it.
var stormy = simnet.Weather{Latency: 5 * time.Millisecond, Cuts: 0.2, Within: 20_000, Silent: 0.2, Loss: 0.02}

// NewTown builds a town, in a bubble.
func NewTown(t testing.TB, seed uint64, p Plan) *Town {
	weather := simnet.Weather{Latency: 5 * time.Millisecond}
	if p.Storm {
		weather = stormy
	}
	w := &Town{World: NewWorld(t, seed, weather), plan: p}
	w.Quiet = p.Quiet
	for i, m := range manners {
		w.Peer(fmt.Sprintf("peer%d.test", i), fmt.Sprintf("192.0.2.1%02d", i), m)
	}
	w.Store("store.test", "192.0.2.30")
	w.Account.stores = map[string]string{"a.test": "store.test"}
	w.forwards = map[string]string{"gone@a.test": "former@peer0.test"}
	w.refuses = []string{" nobody@", "@nowhere.test", "@peer7.test", "@peer8.test"} // as manners has them
	w.faults()
	if p.Nodes > 0 {
		w.cluster(p.Nodes)
		return w
	}
	for i, text := range []string{town1, town2, town3} {
		name, address := fmt.Sprintf("%c.test", 'a'+i), fmt.Sprintf("192.0.2.%d", 1+i)
		from := []string{"198.51.100.0/24", "192.0.2.1/32", "192.0.2.2/32"}[i]
		w.Houses = append(w.Houses, w.House(name, address, fmt.Sprintf(text, name, address, from), w.store(name)))
	}
	return w
}

func (w *Town) store(name string) Store {
	if !w.plan.Pebble {
		return nil
	}
	return w.NewDisk(name)
}

// manners are those of the peers.
var manners = []Manners{
	{},
	{},
	{Greylist: 5 * time.Minute},
	{PerMinute: 60},
	{Slow: 2 * time.Second},
	{Quota: 50, Every: time.Hour},
	{Lie: KeepsAndDefers},
	{Lie: RefusesLate},
	{Lie: NeverAnswers},
}

// faults puts faults into the DNS.
func (w *Town) faults() {
	if !w.plan.Storm {
		return
	}
	if err := w.Zone.Add("peer1.test MX !servfail 2\nmx.peer2.test A !timeout 1\npeer3.test MX !truncated 3\nmx.c.test A !servfail 1"); err != nil {
		w.Fatal(err)
	}
}

// Live plays the day to its end: until every letter was sent, and has come to its
// end. Then everybody goes home.
func (w *Town) Live() {
	var clients sync.WaitGroup
	n := w.plan.Clients
	if n == 0 {
		n = 16
	}
	for i := range n {
		clients.Go(func() { w.correspond(i, n) })
	}
	sent := make(chan struct{})
	go func() { clients.Wait(); close(sent) }()
	if w.plan.Storm {
		w.trouble(sent)
	}
	<-sent
	w.calm()
	w.Account.Audit(w.Houses...)
	for range 3 * 24 {
		time.Sleep(time.Hour)
		synctest.Wait()
		w.Account.Audit(w.Houses...)
		if !slices.ContainsFunc(w.Houses, func(h *House) bool { return h.Left() > 0 }) {
			break
		}
	}
	w.Account.Close()
	for _, c := range w.Account.Complaints() {
		w.Errorf("seed %d: %s", w.Seed, c)
	}
	for _, c := range w.Ledger.Complaints(w.arrives) {
		w.Errorf("seed %d: %s", w.Seed, c)
	}
	w.End()
	synctest.Wait()
}

// arrives says how many copies of a letter a recipient must have: one if anybody said
// yes to it, unless it is to somebody who refuses it in the end. How many there may be the
// account knows better.
func (w *Town) arrives(key, to string, promised bool) (least, most int) {
	if final := w.forwards[to]; final != "" {
		return 0, 0 // the other name gets it
	}
	for from, final := range w.forwards {
		promised = promised || final == to && w.Ledger.promised(key, from)
	}
	if !promised || slices.ContainsFunc(w.refuses, func(part string) bool { return strings.Contains(key+" "+to, part) }) {
		return 0, math.MaxInt
	}
	return 1, math.MaxInt
}

// trouble lets things happen until all letters are sent.
func (w *Town) trouble(sent <-chan struct{}) {
	chance := w.chance("trouble")
	for {
		t := time.NewTimer(5*time.Second + time.Duration(chance.Int64N(int64(20*time.Second))))
		select {
		case <-sent:
			t.Stop()
			return
		case <-t.C:
		}
		synctest.Wait()
		w.Account.Audit(w.Houses...)
		time.Sleep(time.Duration(1 + chance.Int64N(int64(time.Second))))
		h := w.Houses[chance.IntN(len(w.Houses))]
		long, kind := time.Second+time.Duration(chance.Int64N(int64(20*time.Second))), chance.IntN(7)
		if w.base != nil {
			kind += chance.IntN(3)
			w.clusterTrouble(kind, h, long)
			continue
		}
		switch kind {
		case 0:
			w.Part(w.Houses[0].Name, w.Houses[1].Name, long)
		case 3:
			w.holdBehind(h, long)
		case 1:
			w.Part(w.Houses[2].Name, "peer0.test", long)
		case 2:
			w.rule(h, h.text, h.text, long)
		default:
			h.Crash(long)
		}
	}
}

// holdBehind has a house hold its mail while it cannot get rid of it anyway.
func (w *Town) holdBehind(h *House, long time.Duration) {
	next := "peer0.test"
	if i := slices.Index(w.Houses, h); i+1 < len(w.Houses) {
		next = w.Houses[i+1].Name
	}
	parted := make(chan struct{})
	go func() { w.Part(h.Name, next, long+time.Minute); close(parted) }()
	time.Sleep(long)
	w.rule(h, h.text+"queue { hold = true }\n", h.text, long)
	<-parted
}

// rule has a house live by another configuration for a time.
func (w *Town) rule(h *House, other, again string, long time.Duration) {
	w.tell(time.Now(), h.who(), "another configuration")
	err := h.Reload(other)
	time.Sleep(long)
	w.tell(time.Now(), h.who(), "the configuration from before")
	if err = errors.Join(err, h.Reload(again)); err != nil {
		w.Errorf("reload: %v", err)
	}
}

// correspond is what one of several clients does.
func (w *Town) correspond(i, of int) {
	c := w.World.client(fmt.Sprintf("client%d", i), fmt.Sprintf("198.51.100.%d", 10+i), "a.test", "192.0.2.1:25")
	defer c.hangUp()
	c.doors = w.doors
	every := w.plan.Every
	if every == 0 {
		every = 2 * time.Second
		if w.base != nil { // where trouble takes longer
			every = 8 * time.Second
		}
	}
	for k := i; k < w.plan.Letters; k += of {
		c.pause(every)
		m := letterOf(c.chance, fmt.Sprintf("%d", k))
		c.send(&m)
	}
}

// letterOf makes up a letter.
func letterOf(chance *rand.Rand, key string) Mail {
	m := Mail{Key: key, From: path("ann@peer0.test"), Size: 200 + chance.IntN(2000)}
	switch chance.IntN(40) {
	case 0:
		m.From = smtp.Path{}
	case 1:
		m.From = path("nobody@peer0.test") // whom no report can reach
	case 2:
		m.Size = 20_000 + chance.IntN(60_000)
	}
	for range 1 + max(0, chance.IntN(6)-3) {
		to := path(addressee(chance))
		if !slices.ContainsFunc(m.To, func(r smtpclient.Recipient) bool { return r.Path == to }) {
			m.To = append(m.To, smtpclient.Recipient{Path: to, Params: smtp.RcptParams{Notify: wishOf(chance)}})
		}
	}
	return m
}

// addressee makes up a recipient: most are at peers who behave.
func addressee(chance *rand.Rand) string {
	n := chance.IntN(100)
	switch {
	case n < 3:
		return "nobody@peer0.test"
	case n < 5:
		return "eve@nowhere.test"
	case n < 10:
		return []string{"ann", "bob"}[chance.IntN(2)] + "@a.test"
	case n < 11:
		return "dave@a.test" // whom nobody knows
	case n < 13:
		return "gone@a.test"
	case n < 30:
		return fmt.Sprintf("user%d@peer%d.test", chance.IntN(20), 2+chance.IntN(len(manners)-3))
	case n < 31:
		return fmt.Sprintf("user%d@peer%d.test", chance.IntN(20), len(manners)-1)
	}
	return fmt.Sprintf("user%d@peer%d.test", chance.IntN(20), chance.IntN(2))
}

func wishOf(chance *rand.Rand) smtp.Notify {
	switch chance.IntN(10) {
	case 0:
		return smtp.NotifyNever
	case 1:
		return smtp.NotifySuccess
	case 2:
		return smtp.NotifySuccess | smtp.NotifyFailure | smtp.NotifyDelay
	case 3:
		return smtp.NotifyDelay
	}
	return 0
}

// path is an address of the world's own.
func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err)
	}
	return p
}
