package house

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/simdisk"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Journey is a short life of one house on a disk that stops: mail of each kind is
// taken in, sent on, deferred, returned, given up, forwarded, held and dropped by an
// operator, across a reload. Then the house begins again on what the disk still has,
// and everything must come to its end as if nothing had happened.
type Journey struct {
	StopAt int    // before which operation of the disk the power goes; 0: never
	Crash  uint64 // the seed of what that leaves
	Kill   bool   // only the program ends, and nothing is lost that was written
	// Again is before which operation of the start after that the power goes once
	// more; 0: never.
	Again int
	// Local: the mail is that of one machine. Programs leave it in the drop directory, and
	// Maildirs take it, all on the disk that stops.
	Local bool
}

// inn is the house of a journey.
const inn = `
hostname = "mx.a.test"
data     = "/nowhere"
postmaster = "postmaster@peer0.test"
retry    = "5m"
expire   = "1h"
warn     = "20m"
listen "smtp" {
  address = "192.0.2.1:25"
  tls     = "off"
}
relay { networks = "198.51.100.0/24" }
domain "a.test" {
  deliver   = "store"
  mailboxes = ["ann", "bob"]
  forward "gone" {
    to     = "former@peer0.test"
    answer = 250
  }
}
route "store" {
  lmtp = "192.0.2.30:24"
  tls  = "never"
}
route "default" {
  remote = true
  tls    = "never"
}
`

// Run plays the journey, in a bubble, and reports before what the disk stopped, if it
// did, and how many operations the disk saw in all.
func (j Journey) Run(t testing.TB) (before simdisk.Operation, stopped bool, operations int) {
	w := journeyTown(t)
	disk := w.NewDisk("a.test")
	disk.Seed = j.Crash
	if j.StopAt > 0 {
		disk.StopBefore(j.StopAt)
	}
	h := &House{Name: "a.test", world: w.World, text: j.rules(), host: w.Net.Host("a.test", "192.0.2.1"), store: disk, local: j.Local}
	w.announce("a.test", "192.0.2.1")
	w.Houses = []*House{h}
	first := disk.Disk
	crash := time.Now()
	if h.furnish() == nil && h.tryOpen() == nil && h.tryBegin() == nil { // the disk may stop beneath either
		j.travel(w, h)
		crash = j.stop(h, disk)
	} else {
		j.lost(disk)
	}
	if before, stopped = first.Stopped(); stopped {
		crash = first.StoppedAt()
	}
	if j.Again > 0 {
		disk.StopBefore(j.Again)
		if h.tryOpen() == nil {
			_ = h.Engine().Close() // whatever became of it
		}
		if _, again := disk.Stopped(); again {
			disk.Crash()
		} else {
			disk.Disk = disk.Kill()
		}
	}
	w.arriveHome(h, j.rules(), crash)
	return before, stopped, first.Operations()
}

// journeyTown is the world of a journey, but for the house.
func journeyTown(t testing.TB) *Town {
	w := &Town{World: NewWorld(t, 1, simnet.Weather{Latency: 5 * time.Millisecond})}
	for i, m := range []Manners{{}, {Greylist: 4 * time.Minute}, {Lie: RefusesLate}, {Slow: time.Second}} {
		w.Peer(fmt.Sprintf("peer%d.test", i), fmt.Sprintf("192.0.2.1%02d", i), m)
	}
	w.announce("away.test", "192.0.2.199") // where nobody is
	w.Store("store.test", "192.0.2.30")
	w.Account.stores = map[string]string{"a.test": "store.test"}
	w.forwards = map[string]string{"gone@a.test": "former@peer0.test"}
	w.refuses = []string{" nobody@", "@away.test", "@peer2.test", "dropped"}
	return w
}

// travel is what happens until the disk stops, or to the end.
func (j Journey) travel(w *Town, h *House) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	c := w.World.client("client", "198.51.100.10", "a.test", "192.0.2.1:25")
	defer c.hangUp()
	if j.Local {
		play(h, j.localSteps(w, h, c))
		return
	}
	play(h, []func(){
		c.once("relay", "ann@peer0.test", 300, 0, "user@peer0.test"),
		c.once("mailbox", "ann@peer0.test", 300, smtp.NotifySuccess, "bob@a.test"),
		c.once("defer", "ann@peer0.test", 300, 0, "user@peer1.test", "user@peer0.test"),
		c.once("bounce", "ann@peer0.test", 300, 0, "user@peer2.test", "nobody@peer0.test"),
		c.once("expire", "ann@peer0.test", 300, 0, "user@away.test"),
		c.once("forward", "ann@peer0.test", 300, 0, "gone@a.test"),
		c.once("large", "ann@peer0.test", 100_000, 0, "user@peer3.test", "user@peer1.test"),
		func() { _ = h.Reload(inn + "queue { hold = true }\n") },
		c.once("dropped", "ann@peer0.test", 300, 0, "user@peer0.test"),
		c.once("large and dropped", "ann@peer0.test", 60_000, 0, "user@peer0.test"),
		func() {
			_, _ = h.Out().Order(ctx, spool.Query{Filter: spool.Filter{Subject: "*dropped"}},
				spool.Order{Verb: spool.Remove, At: time.Now(), By: "operator", Reason: "the journey"})
		},
		func() { _ = h.Reload(inn) },
		func() { time.Sleep(6 * time.Minute) },
		c.once("double", "nobody@peer0.test", 300, 0, "nobody@peer0.test"),
		func() { time.Sleep(40 * time.Minute) },
	})
}

// play takes steps, until a house has said that it cannot go on.
func play(h *House, steps []func()) {
	for _, step := range steps {
		if len(h.ended) > 0 {
			return
		}
		step()
	}
}

// once is a client that tries once: if the house does not say 250, it is not sent.
func (c *client) once(key, from string, size int, wish smtp.Notify, to ...string) func() {
	return func() {
		m := Mail{Key: key, From: path(from), Size: size}
		text := Letter(key, size)
		c.w.Ledger.Send(text)
		for _, address := range to {
			m.To = append(m.To, smtpclient.Recipient{Path: path(address), Params: smtp.RcptParams{Notify: wish}})
			c.w.Ledger.Wish(key, address, wish)
			if final := c.w.forwards[address]; final != "" {
				c.w.Ledger.Wish(key, final, wish)
			}
		}
		c.try(&m, text, m.To)
		time.Sleep(3 * time.Second)
	}
}

// stop ends the first life: by a power cut, at the latest.
func (j Journey) stop(h *House, disk *Disk) (at time.Time) {
	at = time.Now()
	h.powered.Store(0)
	h.world.tell(at, h.Name, "the first life ends")
	j.lost(disk)
	h.host.Crash()
	h.stop()
	<-h.ended
	return at
}

// lost leaves on the disk what the end of the first life leaves.
func (j Journey) lost(disk *Disk) {
	if j.Kill {
		disk.Disk = disk.Kill()
		return
	}
	disk.Crash()
}

// arriveHome is the second life: all mail comes to its end.
func (w *Town) arriveHome(h *House, rules string, crash time.Time) {
	w.dropWhileAway(h)
	h.open()
	h.text = rules // it may have stopped while mail was held
	w.Account.crashed(h, crash)
	h.begin()
	for hours := range 4 {
		time.Sleep(time.Hour)
		synctest.Wait()
		w.Account.Audit(h)
		if hours > 0 && h.Left() == 0 {
			break
		}
	}
	w.emptyMailroom(h)
	h.end()
	w.Account.Close()
	for _, c := range w.Account.Complaints() {
		w.Error(c)
	}
	for _, c := range w.Ledger.Complaints(w.arrives) {
		w.Error(c)
	}
	w.End()
	synctest.Wait()
}
