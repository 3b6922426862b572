package dispatch

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWorkersDoEverythingAtOnce: no task waits for another, who is idle is asked
// first, and few stay when much is over.
func TestWorkersDoEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		w := workers{tasks: make(chan func())}
		var now, most, done atomic.Int32
		task := func() {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			done.Add(1)
		}
		for _, n := range []int{500, 3, maxIdle + 10} {
			most.Store(0)
			began := time.Now()
			for range n {
				w.do(task)
				synctest.Wait()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if took := time.Since(began); most.Load() != int32(n) || took != time.Second {
				t.Errorf("%d of %d at once, in %v", most.Load(), n, took)
			}
			if idle := w.idle.Load(); idle != maxIdle {
				t.Errorf("%d workers wait", idle)
			}
		}
		w.do(task)
		w.close()
		if done.Load() != 500+3+maxIdle+10+1 {
			t.Errorf("%d tasks are done", done.Load())
		}
	})
}
