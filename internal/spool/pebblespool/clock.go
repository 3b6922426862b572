package pebblespool

import (
	"bytes"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// clockSlack is how far back a clock goes that is only set right now and then.
const clockSlack = time.Minute

// setDues puts right what a clock that was ahead has left: mail that was deferred by
// it would wait until this one comes so far, for years if that was a matter of years.
// Nobody is then due later than [Options.LatestRetry] from now, but those whose sender
// wants it so (RFC 4865). It is done before anything is leased, and only when the
// disk knows of a lease that lies in the future.
func (s *Spool) setDues() error {
	stamp, err := s.metaNumber(metaStamp)
	now := time.Now()
	if err != nil || !time.Unix(0, int64(stamp)).After(now.Add(clockSlack)) {
		return err
	}
	s.opts.Log.Warn("the clock went back: mail that would wait too long is due earlier", "from", time.Unix(0, int64(stamp)), "to", now)
	late, err := s.dueAfter(now.Add(s.opts.LatestRetry))
	for len(late) > 0 && err == nil {
		n := min(len(late), maxSetAtOnce)
		err = s.setDue(late[:n], now.Add(s.opts.LatestRetry))
		late = late[n:]
	}
	return err
}

// maxSetAtOnce bounds one batch.
const maxSetAtOnce = 1000

// dueAfter finds the recipients who are due later than a time.
func (s *Spool) dueAfter(at time.Time) (late []spool.Ref, err error) {
	var inner error
	err = s.scan(s.db, []byte{kPlace}, []byte{kPlace + 1}, func(key, _ []byte) bool {
		name, _ := cutName(key[1:])
		prefix := nameKey(kDue, name)
		inner = s.scan(s.db, appendTime(bytes.Clone(prefix), at), after(prefix), func(key, _ []byte) bool {
			_, ref := cutDue(key[len(prefix):])
			late = append(late, ref)
			return true
		})
		return inner == nil
	})
	return late, errors.Join(err, inner)
}

// setDue makes recipients due at a time, in one batch. What is damaged stays: who
// leases it will tell.
func (s *Spool) setDue(refs []spool.Ref, at time.Time) error {
	t := s.newTx()
	defer t.close()
	for _, ref := range refs {
		rec, err := s.record(ref.ID)
		if errors.Is(err, spool.ErrDamaged) || errors.Is(err, spool.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		old, err := s.standing(ref)
		if errors.Is(err, spool.ErrDamaged) || err == nil && (old == nil || rec.env.HoldUntil.After(at)) {
			continue
		}
		if err != nil {
			return err
		}
		now := *old
		now.Due = at
		if err := t.move(ref, old, &now); err != nil {
			return err
		}
	}
	return t.apply()
}
