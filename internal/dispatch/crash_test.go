package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// TestCrashes: lives that end by a power cut at any instant, with mail of every
// fate. Whatever happens, everybody to whom mail was promised gets it, or its
// sender gets a report; and whoever gets it more than once is in the journal (P2,
// P3).
func TestCrashes(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { crashes(t, seed) }) })
	}
}

func crashes(t *testing.T, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	promised := map[string]mail.ID{}
	refused := map[string]bool{}
	for range 5 {
		w.open()
		for range 10 {
			to := fmt.Sprintf("user%d@d%d.example", len(promised), chance.IntN(3))
			switch chance.IntN(4) {
			case 0:
				w.road.at(to, first(chance.IntN(3), greylisted))
			case 1:
				w.road.at(to, after(time.Duration(chance.IntN(120))*time.Second, relays))
			case 2:
				w.road.at(to, refuses)
				refused[to] = true
			}
			promised[to] = w.send(to)
			time.Sleep(time.Duration(chance.Int64N(int64(50 * time.Millisecond))))
		}
		if chance.IntN(2) == 0 { // else so soon that not all that happened is on the disk
			time.Sleep(2 * time.Minute)
		}
		time.Sleep(time.Duration(chance.Int64N(int64(100 * time.Millisecond))))
		synctest.Wait()
		w.spool = w.spool.Crash()
		_ = w.desk.Shutdown(w.Context())
		<-w.done
	}
	w.open()
	time.Sleep(48 * time.Hour)
	w.shut()
	if n := w.left(); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	for to, id := range promised {
		w.account(to, id, refused[to])
	}
	if t.Failed() {
		t.Log(w.told())
	}
}

// account checks what became of a recipient.
func (w *world) account(to string, id mail.ID, refused bool) {
	name := " " + w.names[id] + " "
	if refused {
		if n := w.count(name + "reported as="); n == 0 {
			w.Errorf("%s was refused, and nobody was told", to)
		}
		return
	}
	sent, told := w.road.sent(to), w.count(name+"possible-second-copy")
	if sent == 0 {
		w.Errorf("%s got nothing", to)
	}
	if sent > 1+told {
		w.Errorf("%s got %d copies, and %d second ones are told of", to, sent, told)
	}
}
