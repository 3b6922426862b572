package pebblespool_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// journey is a short life of a spool, and what it was promised on the way.
type journey struct {
	ctx   context.Context
	s     *pebblespool.Spool
	owner spool.Owner

	mu    sync.Mutex         // since Pebble changes the disk from goroutines of its own
	kept  map[mail.ID]string // content by acknowledged message that is to be there
	maybe map[mail.ID]string // content of messages that may be there or not
}

var errPlanned = errors.New("planned failure")

func newJourney() *journey {
	return &journey{ctx: context.Background(), kept: map[mail.ID]string{}, maybe: map[mail.ID]string{}}
}

// run does what it can; it stops at the first error.
func (j *journey) run(fs vfs.FS) (err error) {
	opts := small(fs)
	opts.LargeBody = 2000
	if j.s, err = pebblespool.Open(dir, opts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.s.Close()) }()
	if j.owner, err = j.s.Join(j.ctx, "node", time.Hour); err != nil {
		return err
	}
	for _, step := range []func() error{j.acceptSmall, j.acceptLarge, j.relay, j.relayLarge, j.abort, j.rest, j.bounce, j.deferOne, j.rest, j.acceptLarge} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (j *journey) accept(body string) (*spool.Lease, error) {
	d, err := j.s.Begin(j.ctx, int64(len(body)))
	if err != nil {
		return nil, err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, body); err != nil {
		return nil, err
	}
	j.promise(j.maybe, d.ID(), "X: y\r\n"+body)
	lease, err := d.Commit(j.ctx, spool.Commit{
		Envelope: envelopeTo("bob@sina.example"), Prepend: []byte("X: y\r\n"),
		Facts: []spool.Fact{{Data: []byte("accepted")}}, For: j.owner,
	})
	if err == nil {
		j.promise(j.kept, d.ID(), "X: y\r\n"+body)
	}
	return lease, err
}

func (j *journey) acceptSmall() error { _, err := j.accept("small\r\n"); return err }
func (j *journey) acceptLarge() error {
	_, err := j.accept(strings.Repeat("large\r\n", 20_000))
	return err
}

func (j *journey) settle(body string, fate mail.Fate, due time.Time, reports ...spool.Report) error {
	lease, err := j.accept(body)
	if err != nil {
		return err
	}
	id := lease.Envelope.ID
	st := lease.Recipients[0]
	st.Fate, st.Due = fate, due
	if fate != mail.Deferred {
		j.forget(id) // from here on it may be gone
	}
	settled, err := j.s.Settle(j.ctx, j.owner, []spool.Settlement{{ID: id, Results: []spool.Standing{st}, Reports: reports}})
	if err == nil {
		err = settled[0].Err
	}
	return err
}

func (j *journey) relay() error { return j.settle("relayed\r\n", mail.Relayed, time.Time{}) }
func (j *journey) relayLarge() error {
	return j.settle(strings.Repeat("relayed\r\n", 20_000), mail.Relayed, time.Time{})
}

func (j *journey) deferOne() error {
	return j.settle("deferred\r\n", mail.Deferred, time.Now().Add(time.Hour))
}

func (j *journey) abort() error {
	d, err := j.s.Begin(j.ctx, 0)
	if err != nil {
		return err
	}
	defer d.Abort()
	_, err = d.Write(make([]byte, 100_000))
	return err
}

// rest lets the lazy calls become durable.
func (j *journey) rest() error { time.Sleep(2 * spool.Lag); return nil }

// bounce fails a message with a report: after a crash there is one of the two.
func (j *journey) bounce() error {
	d, err := j.s.Begin(j.ctx, 0)
	if err != nil {
		return err
	}
	defer d.Abort()
	body := strings.Repeat("undelivered\r\n", 500)
	if _, err := io.WriteString(d, body); err != nil {
		return err
	}
	j.promise(j.maybe, d.ID(), body)
	if err := j.settle("refused\r\n", mail.Failed, time.Time{}, spool.Report{
		Draft: d, Recipients: []int{0},
		Commit: spool.Commit{Envelope: envelopeTo("ann@sohu.example")},
	}); err != nil {
		return err
	}
	j.promise(j.kept, d.ID(), body)
	return nil
}

func (j *journey) promise(which map[mail.ID]string, id mail.ID, body string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	which[id] = body
}

func (j *journey) forget(id mail.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.kept, id)
}

// promises is what was acknowledged at one instant.
func (j *journey) promises() *journey {
	j.mu.Lock()
	defer j.mu.Unlock()
	return &journey{ctx: j.ctx, kept: maps.Clone(j.kept), maybe: maps.Clone(j.maybe)}
}

// during f what was promised is what was before it and still is after it; what may
// be there is what was begun until its end.
func (j *journey) during(f func()) *journey {
	before := j.promises()
	f()
	after := j.promises()
	maps.DeleteFunc(after.kept, func(id mail.ID, _ string) bool { _, was := before.kept[id]; return !was })
	return after
}

// check opens what a crash left and holds it against the promises.
func (j *journey) check(t *testing.T, at int, fs *vfs.MemFS) {
	s, err := pebblespool.Open(dir, small(fs))
	if err != nil {
		t.Fatalf("crash at operation %d: %v", at, err)
	}
	defer s.Close()
	page, err := s.List(j.ctx, spool.Query{})
	if err != nil {
		t.Fatalf("crash at operation %d: %v", at, err)
	}
	there, files := map[mail.ID]bool{}, 0
	for _, it := range page.Items {
		id := it.Envelope.ID
		there[id] = true
		got, err := read(j.ctx, s, id)
		if want, known := j.maybe[id]; err != nil || !known || got != want {
			t.Errorf("crash at operation %d: message %s: %d octets of %d, %v", at, id, len(got), len(want), err)
		}
		if len(got) > 2000 {
			files++
		}
	}
	for id, want := range j.kept {
		if !there[id] {
			t.Errorf("crash at operation %d: acknowledged message %s %.20q is lost", at, id, want)
		}
	}
	if names, err := fs.List(dir + "/bodies"); err != nil || len(names) != files {
		t.Errorf("crash at operation %d: files %v for %d bodies, %v", at, names, files, err)
	}
	if st, err := s.Stats(j.ctx); err != nil || st.Messages != int64(len(there)) {
		t.Errorf("crash at operation %d: counted %d messages of %d, %v", at, st.Messages, len(there), err)
	}
}

func read(ctx context.Context, s *pebblespool.Spool, id mail.ID) (string, error) {
	c, err := s.Open(ctx, id)
	if err != nil {
		return "", err
	}
	r, err := c.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// sabotage counts the operations that change the disk, and does something at one of them.
type sabotage struct {
	count atomic.Int64
	at    int64
	do    func() error
}

func (s *sabotage) String() string { return "sabotage" }

func (s *sabotage) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && s.count.Add(1) == s.at {
		return s.do()
	}
	return nil
}

// everyOperation runs f with each operation of a journey in turn, until the
// journey has no more of them.
func everyOperation(t *testing.T, f func(t *testing.T, at int) (done bool)) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 1; ; at += step {
		done := false
		synctest.Test(t, func(t *testing.T) { done = f(t, at) })
		if done {
			if at < 50 {
				t.Errorf("the journey has only %d operations", at)
			}
			t.Logf("%d operations", at)
			return
		}
	}
}

func TestACrashAtAnyOperationLosesNothingAcknowledged(t *testing.T) {
	for _, percent := range []int{0, 50} {
		everyOperation(t, func(t *testing.T, at int) bool {
			fs, j := vfs.NewCrashableMem(), newJourney()
			var left *vfs.MemFS
			var then *journey
			sab := &sabotage{at: int64(at)}
			sab.do = func() error {
				then = j.during(func() {
					left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(at), 1))})
				})
				return nil
			}
			if err := j.run(errorfs.Wrap(fs, sab)); err != nil {
				t.Fatal(err)
			}
			if left != nil {
				then.check(t, at, left)
			}
			return left == nil
		})
	}
}

func TestAFailedOperationIsNeverAcknowledged(t *testing.T) {
	everyOperation(t, func(t *testing.T, at int) bool {
		fs, j := vfs.NewCrashableMem(), newJourney()
		sab := &sabotage{at: int64(at), do: func() error { return errPlanned }}
		err := j.run(errorfs.Wrap(fs, sab))
		if sab.count.Load() < sab.at {
			return true
		}
		if !errors.Is(err, errPlanned) {
			t.Errorf("failure of operation %d: the journey ended with %v", at, err)
		}
		j.check(t, at, fs.CrashClone(vfs.CrashCloneCfg{})) // the power goes, too
		j.check(t, at, fs)                                 // only the process went
		return false
	})
}
