package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestCrash kills a mail system (SIGKILL) again and again while mail comes in by all its
// doors and leaves by all its roads, starts it on the same directory, and in the end
// asks what became of each message:
//
//   - what was answered 250 was delivered, relayed, reported or is in the queue, after
//     every death; and once the other hosts behave, nothing is in the queue
//   - what arrives is what was sent, and arrives only where it was sent to
//   - a second copy came only of what a killed life had sent, or a link that was cut, and
//     the journal says so
//   - the spool is whole, and no file in it belongs to nobody
//
// Kills come under load, during the start, a reload and a shutdown; some lives end
// cleanly. POSTHOUSE_TEST_ALL has more cycles. POSTHOUSE_CRASH_CYCLES and
// POSTHOUSE_CRASH_SEED choose; chance is the same for a seed, the clock is not.
func TestCrash(t *testing.T) {
	const eachHouse = 100 // cycles
	cycles := 3
	if os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		cycles = 100
	}
	cycles = numberFrom(t, "POSTHOUSE_CRASH_CYCLES", cycles)
	seed := numberFrom(t, "POSTHOUSE_CRASH_SEED", int(time.Now().UnixMilli()))
	var sum tally
	for done := 0; done < cycles; done += eachHouse {
		n := min(eachHouse, cycles-done)
		sum.add(crashedOften(t, uint64(seed+done), n))
		t.Logf("%d of %d cycles, seed %d: %s", done+n, cycles, seed+done, sum)
	}
}

func numberFrom(t *testing.T, variable string, otherwise int) int {
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// crash is a house that is killed, and the world around it.
type crash struct {
	t      *testing.T
	chance *rand.Rand
	dir    string
	sink   *sink
	ledger *ledger
	house  *living // the one that lives, or did last
	life   int
	tally  tally
}

// tally is what a run has seen.
type tally struct {
	cycles, kills, clean           int
	promised, copies, told, second int
	latest                         time.Duration // from an answer to the kill that made it forgotten
	took                           time.Duration
}

func (a *tally) add(b tally) {
	a.cycles += b.cycles
	a.kills += b.kills
	a.clean += b.clean
	a.promised += b.promised
	a.copies += b.copies
	a.told += b.told
	a.second += b.second
	a.latest = max(a.latest, b.latest)
	a.took += b.took
}

func (a tally) String() string {
	return fmt.Sprintf("%d lives killed, %d ended cleanly; %d recipients promised, %d copies delivered or relayed, %d reported; %d second copies, all explained (the longest from answer to kill: %v); %v",
		a.kills, a.clean, a.promised, a.copies, a.told, a.second, a.latest.Round(time.Millisecond), a.took.Round(time.Millisecond))
}

// crashedOften runs one house through some cycles, and returns the account.
func crashedOften(t *testing.T, seed uint64, cycles int) tally {
	begin := time.Now()
	c := newCrash(t, seed, fmt.Sprintf("make crash N=%d SEED=%d", cycles, seed))
	for i := 0; i < cycles && !t.Failed(); i++ {
		c.cycle()
		if i%10 == 0 || cycles < 10 {
			c.lookIntoTheQueue()
		}
		if i%25 == 24 && testing.Verbose() {
			t.Logf("cycle %d of this house: %d recipients promised so far", i+1, c.ledger.promisedSoFar())
		}
	}
	if !t.Failed() {
		c.drain()
		c.account()
	}
	if t.Failed() {
		t.FailNow()
	}
	if err := os.RemoveAll(c.dir); err != nil { // there may be many houses
		t.Error(err)
	}
	c.tally.cycles, c.tally.took = cycles, time.Since(begin)
	return c.tally
}

// newCrash makes a world whose house was not born yet. A failure tells how to see it again.
func newCrash(t *testing.T, seed uint64, again string) *crash {
	c := &crash{t: t, chance: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), ledger: newLedger(t)}
	c.sink = newSink(t, c.ledger, seed)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("this was life %d; the same again: %s\nWhat the house said last:\n%s", c.life, again, c.said())
		}
	})
	return c
}

// cycle is one life, or some very short ones.
func (c *crash) cycle() {
	switch c.chance.IntN(10) {
	case 0:
		for range 1 + c.chance.IntN(3) {
			c.killedAtStart()
		}
	case 1:
		c.live(c.killedInReload)
	case 2:
		c.live(c.killedInShutdown)
	case 3:
		c.live(c.ended)
	default:
		c.live(c.killedUnderLoad)
	}
}

// killedAtStart kills a life while it finds out what the last one has left.
func (c *crash) killedAtStart() {
	c.born()
	time.Sleep(c.upTo(120 * time.Millisecond))
	c.kill()
	c.collect()
}

// live has a life of the house under load, until its end.
func (c *crash) live(end func(*load)) {
	c.born()
	c.house.ready(c.t)
	l := c.underLoad(1)
	end(l)
	l.wait()
	c.collect()
}

func (c *crash) killedUnderLoad(l *load) {
	l.until(c.t, 1+c.chance.IntN(150))
	time.Sleep(c.upTo(300 * time.Millisecond))
	c.kill()
}

func (c *crash) killedInReload(l *load) {
	l.until(c.t, 1+c.chance.IntN(80))
	for range 1 + c.chance.IntN(3) {
		c.configure(c.chance.IntN(2) == 0)
		c.house.signal(c.t, hangUp)
		time.Sleep(c.upTo(40 * time.Millisecond))
	}
	c.kill()
}

func (c *crash) killedInShutdown(l *load) {
	l.until(c.t, 1+c.chance.IntN(80))
	c.house.signal(c.t, terminate)
	time.Sleep(c.upTo(150 * time.Millisecond))
	c.kill()
}

func (c *crash) ended(l *load) {
	l.until(c.t, 1+c.chance.IntN(80))
	c.house.signal(c.t, terminate)
	c.endedWell()
}

func (c *crash) upTo(most time.Duration) time.Duration {
	return time.Duration(c.chance.Int64N(int64(most)))
}

// born starts the next life.
func (c *crash) born() {
	c.configure(c.life%2 == 1)
	c.life++
	c.ledger.life.Store(int64(c.life))
	c.house = startHouse(c.t, c.dir)
}

func (c *crash) kill() {
	c.ledger.died(c.life, time.Now())
	c.house.kill(c.t)
	c.tally.kills++
}

func (c *crash) endedWell() {
	if err := c.house.wait(); err != nil {
		c.t.Errorf("life %d, which got SIGTERM, ended with %v", c.life, err)
	}
	c.tally.clean++
}

// configure writes the configuration. The host "away" is at home, or is not.
func (c *crash) configure(away bool) {
	port := c.sink.port()
	if away {
		port = 1
	}
	text := fmt.Sprintf(configOfCrash, c.dir, c.sink.port(), port)
	next := filepath.Join(c.dir, "next.hcl")
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, filepath.Join(c.dir, configFile))); err != nil {
		c.t.Fatal(err)
	}
}

const configOfCrash = `
hostname = "house.example"
data     = "%[1]s/data"
retry    = ["1s..2s"]

listen "smtp" {
  address = "127.0.0.1:0"
  tls     = "off"
}
listen "lmtp" { address = "unix:%[1]s/lmtp" }
relay { domains = ["sink.example", "strict.example", "away.example"] }

spool {
  file_bodies = "16KiB"
  reserve     = "16MiB"
}

domain "here.example" { mailboxes = ["li", "wang", "sender"] }
route "sink" {
  to        = "sink.example"
  smarthost = "127.0.0.1:%[2]d"
  tls       = "never"
}
route "strict" {
  to        = "strict.example"
  smarthost = "127.0.0.1:%[2]d"
  tls       = "never"
}
route "away" {
  to        = "away.example"
  smarthost = "127.0.0.1:%[3]d"
  tls       = "never"
}
`

// collect takes in what the life that ended has put into the mailboxes.
func (c *crash) collect() {
	for _, name := range []string{"li", "wang", "sender"} {
		box := filepath.Join(c.dir, "data", "mail", "here.example", name, "new")
		files, err := os.ReadDir(box)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			c.t.Fatal(err)
		}
		for _, f := range files {
			path := filepath.Join(box, f.Name())
			text, err := os.ReadFile(path)
			info, serr := f.Info()
			if err := errors.Join(err, serr, os.Remove(path)); err != nil {
				c.t.Fatal(err)
			}
			one := copied{life: c.life, at: info.ModTime(), sure: true}
			if name == "sender" {
				c.ledger.report(text, one)
			} else {
				c.ledger.arrived(name+"@here.example", text, one)
			}
		}
	}
}

// drain lets all others behave, and the house run until nobody waits.
func (c *crash) drain() {
	c.sink.honest.Store(true)
	for limit := time.Now().Add(2 * time.Minute); ; {
		c.life += c.life % 2
		c.retryAll()
		c.born() // in a life in which nobody is away
		c.house.ready(c.t)
		for c.ledger.owed() > 0 && time.Now().Before(limit) {
			time.Sleep(100 * time.Millisecond)
			c.collect()
		}
		c.house.signal(c.t, terminate)
		c.endedWell()
		c.collect()
		left := checkSpool(c.t, c.spool())
		switch {
		case left == 0 || c.t.Failed():
			return
		case time.Now().After(limit):
			c.t.Errorf("everybody takes everything, and %d messages still wait", left)
			c.lookIntoTheQueue()
			return
		}
		time.Sleep(time.Second) // it was not promised to anybody, but taken all the same
	}
}

func (c *crash) spool() string { return filepath.Join(c.dir, "data", "spool") }

func (c *crash) said() string {
	f, err := os.Open(filepath.Join(c.dir, saidFile))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}
