package house_test

import (
	"flag"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/house"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "play the story of one seed, and tell it with -v")
	pebbleFlag  = flag.Bool("pebble", false, "with -seed: houses keep their mail on simulated disks")
	lettersFlag = flag.Int("letters", 300, "letters of a story")
)

// story plays a day in a town.
func story(t *testing.T, seed uint64, p house.Plan) (hash string) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		w := house.NewTown(t, seed, p)
		w.Live()
		hash = w.Hash()
		if !p.Quiet && (testing.Verbose() || t.Failed()) {
			t.Log("\n" + w.Story())
		}
	})
	return hash
}

func TestASeed(t *testing.T) {
	start := time.Now()
	t.Log(story(t, *seedFlag, house.Plan{Letters: *lettersFlag, Storm: true, Pebble: *pebbleFlag, Quiet: !testing.Verbose()}), time.Since(start))
}
