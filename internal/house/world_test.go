package house_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/house"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// relay is a house where nobody lives; all that it keeps is in its spool, in memory.
const relay = `
hostname = "mx.sohu.test"
data     = "/nowhere"
listen "smtp" { address = "192.0.2.1:25" }
relay { networks = "198.51.100.0/24" }
`

// world is a house that relays for three clients to peers of all manners.
type world struct {
	*house.World
	house   *house.House
	clients sync.WaitGroup
	domains []string
}

func newWorld(t *testing.T, seed uint64, weather simnet.Weather) *world {
	w := &world{World: house.NewWorld(t, seed, weather)}
	for i, m := range []house.Manners{
		{}, {Greylist: 5 * time.Minute}, {PerMinute: 3}, {Slow: 3 * time.Second}, {Quota: 3, Every: time.Hour}, {Lie: house.KeepsAndDefers},
	} {
		domain := fmt.Sprintf("peer%d.test", i)
		w.Peer(domain, fmt.Sprintf("192.0.2.1%d", i), m)
		w.domains = append(w.domains, domain)
	}
	w.house = w.House("sohu.test", "192.0.2.1", relay, nil)
	return w
}

// client sends letters, again and again until each was accepted for all.
func (w *world) client(name, address string, letters int) {
	host := w.Net.Host(name, address)
	chance := rand.New(rand.NewPCG(w.Seed, uint64(len(name))+uint64(address[len(address)-1])))
	d := smtpclient.Dialer{LocalName: name, TLS: smtpclient.TLSNever, NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return host.Dial(ctx, netip.Addr{}, network, address)
	}}
	for i := range letters {
		time.Sleep(time.Duration(chance.Int64N(int64(time.Minute))))
		key := fmt.Sprintf("%s-%d", name, i)
		to := fmt.Sprintf("user%d@%s", chance.IntN(5), w.domains[chance.IntN(len(w.domains))])
		text := house.Letter(key, chance.IntN(20_000))
		w.Ledger.Send(text, to)
		for !w.try(&d, key, text, to) {
			time.Sleep(time.Minute)
		}
	}
}

// try says whether a letter was accepted. A client that did not hear the answer
// comes again, and makes a second copy.
func (w *world) try(d *smtpclient.Dialer, key, text, to string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	conn, err := d.Dial(ctx, "tcp", "192.0.2.1:25")
	if err != nil {
		return false
	}
	defer conn.Close()
	env := smtpclient.Envelope{From: path("ann@peer0.test"), To: []smtpclient.Recipient{{Path: path(to)}}}
	result, _ := conn.Send(ctx, env, smtpclient.Bytes([]byte(text))) // the outcome tells it
	o := result.Recipients[0]
	if o.Fate() == smtpclient.Accepted {
		w.Ledger.Promise(key, to)
	}
	return o.Reply != nil && o.Fate() == smtpclient.Accepted
}

var (
	calm  = simnet.Weather{Latency: 5 * time.Millisecond}
	storm = simnet.Weather{Latency: 5 * time.Millisecond, Cuts: 0.1, Within: 3000, Silent: 0.2}
)

// live plays a day.
func live(t *testing.T, seed uint64, weather simnet.Weather) (hash string) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		w := newWorld(t, seed, weather)
		for i := range 3 {
			w.clients.Go(func() { w.client(fmt.Sprintf("client%d", i), fmt.Sprintf("198.51.100.%d", 10+i), 20) })
		}
		time.Sleep(7 * time.Minute)
		if weather == storm {
			w.house.Crash(time.Minute)
		}
		w.clients.Wait()
		time.Sleep(24 * time.Hour)
		if n := w.house.Left(); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		for _, complaint := range w.Ledger.Complaints(func(_, _ string, promised bool) (int, int) {
			if promised {
				return 1, 20
			}
			return 0, 20
		}) {
			t.Error(complaint)
		}
		w.End()
		synctest.Wait()
		hash = w.Hash()
		if t.Failed() || testing.Verbose() {
			t.Log("\n" + w.Story())
		}
	})
	return hash
}

// TestAStormyDay: mail for peers of all manners over bad roads and through a power cut. All
// that was promised arrives, as it was, and nobody else gets it.
func TestAStormyDay(t *testing.T) {
	for seed := range uint64(5) {
		live(t, seed, storm)
	}
}

// TestTheSameSeedTellsTheSameStory: also with peers of all manners, and whatever
// order goroutines run in.
func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	for seed := range uint64(3) {
		if a, b := live(t, seed, calm), live(t, seed, calm); a != b {
			t.Errorf("seed %d tells two stories: %s and %s", seed, a, b)
		}
	}
}
