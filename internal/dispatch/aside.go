package dispatch

import (
	"sync"
	"sync/atomic"
)

// aside runs f beside the loop; what it returns comes back to the inbox.
func (l *loop) aside(f func() func(*loop)) {
	l.busy++
	l.beside.do(func() {
		m := f()
		l.inbox <- func(l *loop) { l.busy--; m(l) }
	})
}

// workers are goroutines that do one task after the other. A new one for each task
// would have to grow its stack each time, which costs more than a small delivery.
type workers struct {
	tasks chan func() // to those who are idle
	idle  atomic.Int32
	all   sync.WaitGroup
}

// maxIdle is how many workers wait for more.
const maxIdle = 64

// do runs a task at once: by a worker who is idle, or else by a new one.
func (w *workers) do(task func()) {
	select {
	case w.tasks <- task:
	default:
		w.all.Go(func() { w.work(task) })
	}
}

func (w *workers) work(task func()) {
	for ok := true; ok; {
		task()
		if w.idle.Add(1) > maxIdle {
			w.idle.Add(-1)
			return
		}
		task, ok = <-w.tasks
		w.idle.Add(-1)
	}
}

// close waits until all tasks are done. None may follow.
func (w *workers) close() {
	close(w.tasks)
	w.all.Wait()
}
