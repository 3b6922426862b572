package pebblespool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/simdisk"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// journey is a short life of a spool, and what it was promised on the way.
type journey struct {
	ctx   context.Context
	s     *pebblespool.Spool
	owner spool.Owner

	mu    sync.Mutex
	known map[mail.ID]letter // every message that was ever begun
	kept  map[mail.ID]bool   // acknowledged, and not to be gone
	gone  map[mail.ID]bool   // acknowledged to be gone
	held  map[mail.ID]bool   // acknowledged to be held
}

// letter is a message as it must be read.
type letter struct {
	content string
	file    bool // it is large, and has a file of its own
}

// largeBody is where the journey's large bodies begin, in octets.
const largeBody = 2000

func newJourney() *journey {
	return &journey{
		ctx: context.Background(), known: map[mail.ID]letter{},
		kept: map[mail.ID]bool{}, gone: map[mail.ID]bool{}, held: map[mail.ID]bool{},
	}
}

// run does what it can; it stops at the first error.
func (j *journey) run(fs vfs.FS) (err error) {
	opts := small(fs)
	opts.LargeBody, opts.MemTable = largeBody, 64<<10
	if j.s, err = pebblespool.Open(dir, opts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.s.Close()) }()
	if j.owner, err = j.s.Join(j.ctx, "node", time.Hour); err != nil {
		return err
	}
	for _, step := range []func() error{
		j.acceptSmall, j.acceptLarge, j.relay, j.relayLarge, j.abort, j.rest, j.bounce, j.deferOne, j.rest,
		j.hold, j.remove, j.crowd, j.fill, j.acceptLarge, j.rest,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (j *journey) accept(body string) (*spool.Lease, error) { return j.acceptBelow("X: y\r\n", body) }

// acceptBelow accepts a message with fields to prepend.
func (j *journey) acceptBelow(fields, body string) (*spool.Lease, error) {
	d, err := j.s.Begin(j.ctx, int64(len(body)))
	if err != nil {
		return nil, err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, body); err != nil {
		return nil, err
	}
	j.begun(d.ID(), letter{fields + body, len(body) > largeBody})
	lease, err := d.Commit(j.ctx, spool.Commit{
		Envelope: envelopeTo("bob@sina.example"), Prepend: []byte(fields),
		Facts: []spool.Fact{{Data: []byte("accepted")}}, For: j.owner,
	})
	if err == nil {
		j.promise(j.kept, d.ID())
	}
	return lease, err
}

func (j *journey) begun(id mail.ID, l letter) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.known[id] = l
}

// promise notes what was promised of a message.
func (j *journey) promise(what map[mail.ID]bool, id mail.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	what[id] = true
}

// doubt says that from here on a message may be gone.
func (j *journey) doubt(id mail.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.kept, id)
}

func (j *journey) acceptSmall() error { _, err := j.accept("small\r\n"); return err }

func (j *journey) acceptLarge() error {
	_, err := j.accept(strings.Repeat("large\r\n", 20_000))
	return err
}

// settle accepts a message and settles it at once.
func (j *journey) settle(body string, fate mail.Fate, due time.Time, reports ...spool.Report) (mail.ID, error) {
	lease, err := j.accept(body)
	if err != nil {
		return mail.ID{}, err
	}
	id := lease.Envelope.ID
	st := lease.Recipients[0]
	st.Fate, st.Due = fate, due
	if fate != mail.Deferred {
		j.doubt(id)
	}
	settled, err := j.s.Settle(j.ctx, j.owner, []spool.Settlement{{ID: id, Results: []spool.Standing{st}, Reports: reports}})
	if err == nil {
		err = settled[0].Err
	}
	return id, err
}

func (j *journey) relay() error      { return j.relayed("relayed\r\n") }
func (j *journey) relayLarge() error { return j.relayed(strings.Repeat("relayed\r\n", 20_000)) }

// relayed is gone when the lag of lazy calls is over.
func (j *journey) relayed(body string) error {
	id, err := j.settle(body, mail.Relayed, time.Time{})
	if err == nil {
		err = j.rest()
	}
	if err == nil {
		j.promise(j.gone, id)
	}
	return err
}

func (j *journey) deferOne() error {
	_, err := j.settle("deferred\r\n", mail.Deferred, time.Now().Add(time.Hour))
	return err
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
func (j *journey) rest() error { time.Sleep(2 * spool.Lag); return j.s.Err() }

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
	j.begun(d.ID(), letter{body, true})
	id, err := j.settle("refused\r\n", mail.Failed, time.Time{}, spool.Report{
		Draft: d, Recipients: []int{0},
		Commit: spool.Commit{Envelope: envelopeTo("ann@sohu.example")},
	})
	if err == nil {
		j.promise(j.kept, d.ID())
		j.promise(j.gone, id)
	}
	return err
}

func (j *journey) hold() error {
	id, err := j.order(spool.Hold)
	if err == nil {
		j.held[id] = true
	}
	return err
}

func (j *journey) remove() error {
	id, err := j.order(spool.Remove)
	if err == nil {
		j.promise(j.gone, id)
	}
	return err
}

// order accepts a large message and gives an order about it.
func (j *journey) order(verb spool.Verb) (mail.ID, error) {
	lease, err := j.accept(strings.Repeat("ordered\r\n", 5_000))
	if err != nil {
		return mail.ID{}, err
	}
	id := lease.Envelope.ID
	if verb == spool.Remove {
		j.doubt(id)
	}
	_, err = j.s.Alter(j.ctx, spool.Query{Filter: spool.Filter{ID: id}}, spool.Order{Verb: verb, At: time.Now(), By: "olga"}, nil)
	return id, err
}

// crowd accepts from many at once, who share syncs.
func (j *journey) crowd() error {
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			_, errs[i] = j.accept(fmt.Sprintf("from %d of a crowd\r\n", i))
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// fill accepts so much that memtables go to the disk, and their logs are used again.
func (j *journey) fill() error {
	for range 10 {
		if _, err := j.acceptBelow("X: "+strings.Repeat("long ", 2000)+"\r\n", "short\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// files is how many bodies of messages that are kept have files of their own.
func (j *journey) files() (n int64) {
	for id := range j.kept {
		if j.known[id].file {
			n++
		}
	}
	return n
}

// check opens what a crash left and holds it against the promises.
func (j *journey) check(t *testing.T, what string, disk *simdisk.Disk) {
	t.Helper()
	s, err := pebblespool.Open(dir, small(disk))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer s.Close()
	there := j.checkMessages(t, what, s)
	for id := range j.kept {
		if !there[id] {
			t.Errorf("%s: acknowledged message %s %.20q is lost", what, id, j.known[id].content)
		}
	}
	for id := range j.gone {
		if there[id] {
			t.Errorf("%s: message %s %.20q was gone, and is there again", what, id, j.known[id].content)
		}
	}
	checked, err := s.Check(j.ctx, nil)
	if err != nil || len(checked.Problems) > 0 || checked.Quarantined > 0 {
		t.Errorf("%s: the check finds %+v, %v", what, checked, err)
	}
	if names, err := disk.List(dir + "/bodies"); err != nil || int64(len(names)) != checked.Files {
		t.Errorf("%s: files %v for %d bodies, %v", what, names, checked.Files, err)
	}
}

// checkMessages reads every message that is there, whole.
func (j *journey) checkMessages(t *testing.T, what string, s *pebblespool.Spool) map[mail.ID]bool {
	t.Helper()
	page, err := s.List(j.ctx, spool.Query{})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	there := map[mail.ID]bool{}
	for _, it := range page.Items {
		id := it.Envelope.ID
		there[id] = true
		got, err := read(j.ctx, s, id)
		if want, known := j.known[id]; err != nil || !known || got != want.content {
			t.Errorf("%s: message %s: %d octets of %d, %v", what, id, len(got), len(want.content), err)
		}
		if j.held[id] && !it.Standing.Held {
			t.Errorf("%s: message %s is not held", what, id)
		}
	}
	return there
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
