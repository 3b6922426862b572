package house_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/house"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "play the story of one seed, and tell it with -v")
	lettersFlag = flag.Int("letters", 300, "letters of a story")
	pebbleFlag  = flag.Bool("pebble", false, "with -seed: houses keep their mail on simulated disks")
	nodesFlag   = flag.Int("nodes", 0, "with -seed: so many nodes share one base, in the place of three houses")
	forFlag     = flag.Duration("for", 0, "play one seed after the other for so long")
)

// figures are what a story came to.
type figures struct {
	hash               string
	letters, accepted  int
	recipients, copies int
	cpu                time.Duration
}

// story plays a day in a town.
func story(t *testing.T, seed uint64, p house.Plan) (f figures) {
	before := cpu()
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		w := house.NewTown(t, seed, p)
		w.Live()
		f = figures{hash: w.Hash(), letters: p.Letters, copies: w.Account.Copies()}
		f.accepted, f.recipients = w.Account.Accepted()
		if !p.Quiet {
			t.Log("\n" + w.Story())
		}
	})
	f.cpu = cpu() - before
	return f
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func named(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// aside skips a test where a flag asks for one story.
func aside(t *testing.T) {
	if named("seed") || named("stop") || named("call") {
		t.Skip("one story is told")
	}
}

// TestASeed plays the story of the seed that a flag names, and tells it with -v.
func TestASeed(t *testing.T) {
	f := story(t, *seedFlag, house.Plan{
		Letters: *lettersFlag, Storm: true, Pebble: *pebbleFlag, Nodes: *nodesFlag, Quiet: !named("seed") || !testing.Verbose(),
	})
	t.Logf("hash %s", f.hash)
}

// TestSeedsThatFoundSomething plays again what once went wrong: a seed and a number of
// letters a line, and what it found.
func TestSeedsThatFoundSomething(t *testing.T) {
	aside(t)
	text, err := os.ReadFile(filepath.Join("testdata", "seeds.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var p house.Plan
		var seed uint64
		if strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := fmt.Sscan(line, &seed, &p.Letters); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		p.Storm, p.Quiet = true, true
		story(t, seed, p)
	}
}

var hashLine = regexp.MustCompile(`hash (\w+, \d+ lines)`)

// TestTheSameSeedTellsTheSameStoryEverywhere: in storms and through crashes, in other processes,
// with one processor and with two.
func TestTheSameSeedTellsTheSameStoryEverywhere(t *testing.T) {
	aside(t)
	for _, seed := range []uint64{1} {
		want := story(t, seed, house.Plan{Letters: 200, Storm: true, Quiet: true}).hash
		for _, processors := range []int{1, 2} {
			c := exec.Command(os.Args[0], "-test.run=^TestASeed$", "-test.v", "-letters=200", fmt.Sprint("-seed=", seed))
			c.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", processors))
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := hashLine.FindSubmatch(out); got == nil || string(got[1]) != want {
				t.Errorf("seed %d with GOMAXPROCS=%d tells %q, and here %s", seed, processors, got, want)
			}
		}
	}
}

// TestNothingIsLost: many letters over three houses, in storms and through crashes. The
// figures are those of docs/reliability.md.
func TestNothingIsLost(t *testing.T) {
	aside(t)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // what is measured is not the collector
	rounds, letters := 1, 300
	if thorough() {
		rounds, letters = 10, 3000
	}
	var memory, disks figures
	for n := range uint64(rounds) {
		for k := range uint64(3) {
			memory.add(story(t, 1000+3*n+k, house.Plan{Letters: letters, Storm: true, Quiet: true}))
		}
		disks.add(story(t, 2000+n, house.Plan{Letters: letters / 3, Storm: true, Quiet: true, Pebble: true}))
		t.Logf("in memory: %v", memory)
		t.Logf("on disks:  %v", disks)
	}
}

func (f *figures) add(g figures) {
	f.letters, f.accepted, f.recipients = f.letters+g.letters, f.accepted+g.accepted, f.recipients+g.recipients
	f.copies, f.cpu = f.copies+g.copies, f.cpu+g.cpu
}

func (f figures) String() string {
	return fmt.Sprintf("%d letters, %d messages in all houses, for %d recipients; %d second copies, all explained; %.0f letters a CPU second",
		f.letters, f.accepted, f.recipients, f.copies, float64(f.letters)/f.cpu.Seconds())
}

// TestSearch plays one seed after the other for as long as a flag says.
func TestSearch(t *testing.T) {
	if *forFlag == 0 {
		t.Skip("see make sim FOR=5m")
	}
	start, sum := time.Now(), figures{}
	for seed := *seedFlag + uint64(start.UnixNano()/1e6%1e6)*1000; time.Since(start) < *forFlag && !t.Failed(); seed++ {
		p := house.Plan{Letters: *lettersFlag, Storm: true, Quiet: true, Pebble: seed%10 == 9}
		sum.add(story(t, seed, p))
		fmt.Fprintf(os.Stderr, "\r%8v  seed %d  %v ", time.Since(start).Round(time.Second), seed, sum)
		if t.Failed() {
			t.Errorf("again: make sim SEED=%d LETTERS=%d PEBBLE=%v", seed, p.Letters, p.Pebble)
		}
	}
	fmt.Fprintln(os.Stderr)
}

// TestSoak plays towns for as long as a flag says, and holds that memory, goroutines and
// descriptors do not grow.
func TestSoak(t *testing.T) {
	aside(t)
	rounds, until := 3, time.Now().Add(*forFlag)
	if !named("for") && !thorough() {
		rounds = 2
	}
	first := usage{}
	for n := 0; n < rounds || time.Now().Before(until); n++ {
		story(t, uint64(3000+n), house.Plan{Letters: 300, Storm: true, Quiet: true})
		now := use(t)
		if n == 0 {
			first = now
		}
		if now.goroutines > first.goroutines || now.descriptors > first.descriptors || now.memory > first.memory+8<<20 {
			t.Errorf("after %d rounds: %+v, and after the first %+v", n+1, now, first)
		}
		if named("for") {
			fmt.Fprintf(os.Stderr, "\r%d rounds, %d KiB, %d goroutines, %d descriptors ", n+1, now.memory>>10, now.goroutines, now.descriptors)
		}
	}
}

type usage struct {
	memory                  uint64
	goroutines, descriptors int
}

func use(t *testing.T) usage {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers kept
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return usage{m.HeapAlloc, runtime.NumGoroutine(), len(open)}
}
