package pebblespool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// maxProblems is how many problems a check tells.
const maxProblems = 1000

// Check reads everything in a spool that no process has open, and changes nothing. It
// lists what is in quarantine, at most [spool.MaxPage] messages. Progress, if not nil, is
// told now and then how many messages were read. An error means that the check itself
// could not go on.
func Check(ctx context.Context, dir string, opts Options, progress func(messages int64)) (spool.Checked, []spool.Damage, error) {
	s, err := open(dir, opts, true)
	if err != nil {
		return spool.Checked{}, nil, fmt.Errorf("check spool %s: %w", dir, err)
	}
	checked, err := s.Check(ctx, progress)
	var quarantine []spool.Damage
	if err == nil {
		quarantine, err = s.Damaged(ctx, mail.ID{}, spool.MaxPage)
	}
	return checked, quarantine, errors.Join(err, s.Close())
}

// Check reads everything in the spool as it is at one instant, while it works.
// It reads each body, so it takes what the disk takes.
func (s *Spool) Check(ctx context.Context, progress func(messages int64)) (spool.Checked, error) {
	if err := s.enter(ctx); err != nil {
		return spool.Checked{}, err
	}
	defer s.leave()
	c := checker{s: s, ctx: ctx, progress: progress}
	return c.run()
}

// run reads everything as it is now.
func (c *checker) run() (spool.Checked, error) {
	c.snap, c.files, c.placeOf = c.s.db.NewSnapshot(), map[uint64]bool{}, map[string]int64{}
	defer c.snap.Close()
	for _, part := range []func() error{c.messages, c.indexes, c.destinations, c.journal, c.bodyFiles, c.counters} {
		if err := part(); err != nil {
			return c.Checked, fmt.Errorf("check: %w", err)
		}
	}
	return c.Checked, nil
}

// checker is one check.
type checker struct {
	spool.Checked
	s        *Spool
	ctx      context.Context
	snap     *pebble.Snapshot
	progress func(int64)
	files    map[uint64]bool // that messages name
	count    counts
	placed   int64 // waiting and held, as the destinations count them

	repairs bool // mends are wanted
	mends   []func(*Spool) error
	placeOf map[string]int64 // waiting and held by destination, for a repair
}

func (c *checker) problem(id mail.ID, format string, args ...any) {
	if len(c.Problems) == maxProblems {
		c.More = true
		return
	}
	c.Problems = append(c.Problems, spool.Problem{ID: id, What: fmt.Sprintf(format, args...)})
}

// scan calls f for each record of one kind.
func (c *checker) scan(kind byte, f func(key, value []byte) error) error {
	var inner error
	err := c.s.scan(c.snap, []byte{kind}, []byte{kind + 1}, func(key, value []byte) bool {
		if inner = c.ctx.Err(); inner == nil {
			inner = f(key, value)
		}
		return inner == nil
	})
	return errors.Join(err, inner)
}

func (c *checker) has(key []byte) (bool, error) {
	b, err := get(c.snap, key)
	return b != nil, err
}

// expect reports a problem if there is no such record. mend, if not nil, mends it.
func (c *checker) expect(key []byte, id mail.ID, mend func(*tx) error, format string, args ...any) error {
	there, err := c.has(key)
	if err == nil && !there {
		c.problem(id, format, args...)
		c.mend(mend)
	}
	return err
}

func (c *checker) messages() error {
	return c.scan(kEnvelope, func(key, value []byte) error {
		c.Messages++
		if c.progress != nil && c.Messages%1000 == 0 {
			c.progress(c.Messages)
		}
		return c.message(idOf(key), value)
	})
}

func (c *checker) message(id mail.ID, value []byte) error {
	quarantined, err := c.has(idKey(kDamage, id))
	if err != nil {
		return err
	}
	h, herr := readHead(value)
	if herr == nil && h.file != 0 {
		c.files[h.file] = true
	}
	if quarantined {
		c.Quarantined++
		return nil
	}
	env, h, err := readEnvelope(id, value)
	if err != nil {
		c.damaged(id, "envelope: %v", err)
		return nil
	}
	c.Bytes += h.size
	c.count[countMessages]++
	c.count[countBytes] += h.size
	if err := c.body(id, h); err != nil {
		return err
	}
	return c.recipients(env)
}

// body reads a body whole. One that is removed meanwhile is no problem.
func (c *checker) body(id mail.ID, h head) error {
	b, err := get(c.snap, idKey(kBody, id))
	if err != nil {
		return err
	}
	b, broken := spool.Unseal(b, id[:])
	switch {
	case broken != nil:
		c.damaged(id, "body: %v", broken)
	case h.file == 0 && int64(len(b)) != h.size:
		c.damaged(id, "body: %d octets, and the envelope says %d", len(b), h.size)
	case h.file != 0 && len(b) < 20:
		c.damaged(id, "body: no file is named")
	case h.file != 0:
		return c.file(id, b[len(b)-20:])
	}
	return nil
}

func (c *checker) file(id mail.ID, tail []byte) error {
	c.Files++
	number := binary.BigEndian.Uint64(tail)
	f, err := c.s.fs.Open(c.s.filePath(number))
	if errors.Is(err, os.ErrNotExist) {
		if still, err := c.s.has(idKey(kEnvelope, id)); err != nil || !still {
			return err
		}
		c.damaged(id, "body file %012x is missing", number)
		return nil
	}
	if err != nil {
		return err
	}
	r := fileReader{file: f, left: int64(binary.BigEndian.Uint64(tail[8:])), want: binary.BigEndian.Uint32(tail[16:])}
	r.damaged = func(what string) error { c.damaged(id, "%s", what); return io.EOF }
	_, err = io.Copy(io.Discard, &r)
	return errors.Join(err, f.Close())
}

func (c *checker) recipients(env *mail.Envelope) error {
	fresh, open := 0, 0
	for i := range env.To {
		ref := spool.Ref{ID: env.ID, Recipient: i}
		b, err := get(c.snap, refKey(kStanding, ref))
		if err != nil {
			return err
		}
		if b == nil {
			fresh++
			open++
			continue
		}
		st, err := readStanding(ref, b)
		if err != nil {
			c.damaged(env.ID, "recipient %d: %v", i, err)
			continue
		}
		if st.place() != 0 {
			open++
		}
		if err := c.standing(ref, st); err != nil {
			return err
		}
	}
	c.Recipients += int64(open)
	c.count[spool.Fresh] += int64(fresh)
	return c.progressOf(env, fresh, open)
}

func (c *checker) standing(ref spool.Ref, st *standing) error {
	where := st.place()
	if where == 0 {
		return nil
	}
	c.count[where]++
	if c.repairs {
		c.placeOf[st.Destination]++
	}
	if where == spool.Waiting {
		key := dueKey(st.Destination, dueOf(st), ref)
		if err := c.expect(key, ref.ID, queueAgain(key, st), "recipient %d waits, and is not in the due index", ref.Recipient); err != nil {
			return err
		}
	}
	return c.expect(nameKey(kPlace, st.Destination), ref.ID, countAgain(st), "recipient %d: its destination %q is not known", ref.Recipient, st.Destination)
}

func (c *checker) progressOf(env *mail.Envelope, fresh, open int) error {
	flight, err := c.has(idKey(kFresh, env.ID))
	if err != nil {
		return err
	}
	if flight != (fresh > 0) {
		c.problem(env.ID, "%d recipients were never settled, and in the index of first flights: %v", fresh, flight)
		c.mend(flyAgain(env, fresh))
	}
	if open == 0 {
		c.problem(env.ID, "all its recipients are done, and it is still there")
	}
	m := message{head: head{recipients: len(env.To)}, fresh: fresh, open: open}
	if err := readProgress(c.snap, env.ID, &m); err != nil {
		return err
	}
	if m.fresh != fresh || m.open != open {
		c.problem(env.ID, "%d recipients fresh and %d open, and counted %d and %d", fresh, open, m.fresh, m.open)
		c.mend(progressAgain(env.ID, fresh, open))
	}
	return nil
}

// owned looks for the envelope of a body. In quarantine there may be none.
func (c *checker) owned(id mail.ID) error {
	quarantined, err := c.has(idKey(kDamage, id))
	if err != nil || quarantined {
		return err
	}
	there, err := c.has(idKey(kEnvelope, id))
	if err == nil && !there {
		c.damaged(id, "there is a body, and no envelope")
	}
	return err
}

// indexes looks for entries that lead nowhere.
func (c *checker) indexes() error {
	if err := c.scan(kBody, func(key, _ []byte) error { return c.owned(idOf(key)) }); err != nil {
		return err
	}
	for kind, what := range map[byte]string{kFresh: "a first flight", kProgress: "progress", kStanding: "a standing"} {
		err := c.scan(kind, func(key, _ []byte) error {
			return c.expect(idKey(kEnvelope, idOf(key)), idOf(key), forget(key), "there is %s, and no envelope", what)
		})
		if err != nil {
			return err
		}
	}
	return c.scan(kDue, func(key, _ []byte) error {
		name, rest := cutName(key[1:])
		due, ref := cutDue(rest)
		b, err := get(c.snap, refKey(kStanding, ref))
		if err != nil {
			return err
		}
		st, broken := readStanding(ref, b)
		if broken != nil || st.place() != spool.Waiting || st.Destination != name || !dueOf(st).Equal(due) {
			c.problem(ref.ID, "the due index has recipient %d at %q, where it does not wait", ref.Recipient, name)
			c.mend(forget(key))
		}
		return nil
	})
}

func (c *checker) destinations() error {
	return c.scan(kPlace, func(key, value []byte) error {
		name, _ := cutName(key[1:])
		p := readPlace(value)
		c.placed += p.count
		if n := c.placeOf[name]; c.repairs && p.count != n {
			c.problem(mail.ID{}, "destination %q counts %d recipients, and there are %d", name, p.count, n)
			c.mend(recount(name, n))
		}
		if !p.visit.IsZero() {
			if err := c.expect(visitKey(p.visit, name), mail.ID{}, visitAgain(p.visit, name), "destination %q will not be visited", name); err != nil {
				return err
			}
		}
		moved, err := c.has(nameKey(kMoved, name))
		if err != nil || moved {
			return err // its start is right for those that are not leased
		}
		prefix := nameKey(kDue, name)
		return c.s.scan(c.snap, prefix, after(prefix), func(key, _ []byte) bool {
			if due, _ := cutDue(key[len(prefix):]); p.start.IsZero() || due.Before(p.start) {
				c.problem(mail.ID{}, "destination %q starts later than its first recipient is due", name)
				c.mend(func(t *tx) error { return t.restoreStart(name) })
			}
			return false
		})
	})
}

func (c *checker) journal() error {
	return c.scan(kFact, func(key, value []byte) error {
		facts, err := cutFacts(binary.BigEndian.Uint64(key[1:]), value)
		if err != nil {
			c.problem(mail.ID{}, "journal, record %d: %v", binary.BigEndian.Uint64(key[1:]), err)
		}
		c.Facts += int64(len(facts))
		return nil
	})
}

// bodyFiles looks for files that belong to nothing.
func (c *checker) bodyFiles() error {
	names, err := c.s.fs.List(c.s.fs.PathJoin(c.s.dir, fileDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		number, err := strconv.ParseUint(name, 16, 64)
		if err != nil {
			c.problem(mail.ID{}, "%s in the directory of body files is none", strconv.Quote(name))
			continue
		}
		intent, err := c.s.has(numberKey(kIntent, number))
		if err != nil {
			return err
		}
		// committed or removed since the snapshot, or in the making; not while nobody else is here
		if live := !c.repairs && number >= c.s.files.first; !c.files[number] && !intent && !live {
			c.problem(mail.ID{}, "body file %s belongs to no message", name)
			c.sweep(number)
		}
	}
	return nil
}

// counters holds the counts against what was read.
func (c *checker) counters() error {
	if len(c.Problems) > 0 || c.Quarantined > 0 {
		return nil // they would only say it again
	}
	b, err := get(c.snap, counters)
	if err != nil {
		return err
	}
	var kept counts
	kept.add(b)
	for _, kind := range []int{countMessages, countFresh, countWaiting, countHeld, countBytes} {
		if kept[kind] != c.count[kind] {
			c.problem(mail.ID{}, "counter %d is %d, and there are %d", kind, kept[kind], c.count[kind])
			c.mend(count(kind, c.count[kind]-kept[kind]))
		}
	}
	if sum := c.count[countWaiting] + c.count[countHeld]; c.placed != sum {
		c.problem(mail.ID{}, "destinations count %d recipients, and there are %d", c.placed, sum)
	}
	return nil
}
