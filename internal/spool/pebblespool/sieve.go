package pebblespool

import (
	"bytes"
	"errors"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Bounds of sifting.
const (
	// maxSifted is how many messages one List or Alter sifts. That costs far less than to
	// look at them.
	maxSifted = 250_000
	// maxGathered is how many destinations are looked through, and how many recipients of
	// them are gathered from the due index.
	maxGathered = 20_000
)

// sieve finds, in order, the messages that may have a recipient at the place, or for the
// destination, that a filter wants. It reads no envelopes, but the small records of
// recipients: streams of them, in the order of messages.
type sieve struct {
	*lister
	streams []stream
}

// stream is records of recipients.
type stream interface {
	// message is the one that comes next; false: there is none.
	message() (mail.ID, bool)
	// take goes on behind it, and reports whether the filter may choose one of its recipients.
	take() (may bool, err error)
	close() error
}

// sifts reports whether a sieve helps.
func (l *lister) sifts() bool {
	f := &l.q.Filter
	return f.ID.IsZero() && (f.Place != 0 || f.Destination != "" || f.Reply != "")
}

// sift looks at what a sieve leaves.
func (l *lister) sift() error {
	v := sieve{lister: l}
	err := v.open()
	for more := true; err == nil && more && !l.page.More; {
		more, err = v.next()
	}
	for _, s := range v.streams {
		err = errors.Join(err, s.close())
	}
	return err
}

func (v *sieve) open() error {
	f, stats := &v.q.Filter, &v.s.stats
	if v.fresh && f.Reply == "" && (f.Place == 0 || f.Place == spool.Fresh) { // who is fresh has heard no reply
		it, err := v.iterate(kFresh)
		if err != nil {
			return err
		}
		v.streams = append(v.streams, &freshStream{walk{it}, f})
	}
	settled := f.Place == 0 || stats[f.Place].Load() > 0
	if f.Place == spool.Fresh || !settled {
		return nil
	}
	if s, err := v.gather(); err != nil {
		return err
	} else if s != nil {
		v.streams = append(v.streams, s)
		return nil
	}
	it, err := v.iterate(kStanding)
	if err == nil {
		v.streams = append(v.streams, &standingStream{walk{it}, f})
	}
	return err
}

// iterate stands at the first record of a kind that the cursor has not passed.
func (v *sieve) iterate(kind byte) (*pebble.Iterator, error) {
	it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: idKey(kind, v.q.After.ID), UpperBound: []byte{kind + 1}})
	if err == nil {
		it.First()
	}
	return it, err
}

// next looks at the next message, if it passes the sieve; false: there is none.
func (v *sieve) next() (more bool, err error) {
	id, any := lastID, false
	for _, s := range v.streams {
		if at, is := s.message(); is && !before(id, at) {
			id, any = at, true
		}
	}
	if v.sifted++; !any || v.sifted > maxSifted {
		v.page.More = any
		return false, nil
	}
	passes := false
	for _, s := range v.streams {
		if at, is := s.message(); is && at == id {
			may, err := s.take()
			if err != nil {
				return false, err
			}
			passes = passes || may
		}
	}
	if passes {
		err = v.look(id)
	}
	if err == nil && !v.page.More {
		v.page.Next = spool.Cursor{ID: id, Recipient: math.MaxInt32}
	}
	return true, err
}

// look looks at a message that has passed.
func (v *sieve) look(id mail.ID) error {
	value, err := get(v.snap, idKey(kEnvelope, id))
	if err != nil || value == nil {
		return err
	}
	return v.message(id, value)
}

// walk is an iterator as a stream has it.
type walk struct{ it *pebble.Iterator }

func (w walk) message() (mail.ID, bool) {
	if !w.it.Valid() {
		return mail.ID{}, false
	}
	return idOf(w.it.Key()), true
}

func (w walk) close() error { return w.it.Close() }

// freshStream is first flights.
type freshStream struct {
	walk
	filter *spool.Filter
}

func (s *freshStream) take() (may bool, err error) {
	value, err := s.it.ValueAndErr()
	if err != nil {
		return false, err
	}
	destination, single := readFlight(value)
	s.it.Next()
	return !single || s.filter.MatchDestination(destination), nil
}

// standingStream is recipients that are not fresh.
type standingStream struct {
	walk
	filter *spool.Filter
}

func (s *standingStream) take() (may bool, err error) {
	first := idOf(s.it.Key())
	for at, is := first, true; is && at == first; at, is = s.message() {
		value, err := s.it.ValueAndErr()
		if err != nil {
			return false, err
		}
		may = may || s.mayChoose(value)
		s.it.Next()
	}
	return may, nil
}

// mayChoose reads the start of a standing. One that is damaged is for others to find.
func (s *standingStream) mayChoose(record []byte) bool {
	place, destination, err := peekStanding(record)
	if err != nil {
		return true
	}
	f := s.filter
	return place != 0 && (f.Place == 0 || f.Place == place) && f.MatchDestination(string(destination)) &&
		(f.Reply == "" || f.MatchReply(peekReply(record)))
}

// gather makes a stream of the due index, if few recipients wait for the destinations
// that the filter wants, and none is held: those are not in the index. nil: it does not help.
func (v *sieve) gather() (stream, error) {
	if v.q.Filter.Destination == "" || v.s.stats[spool.Held].Load() > 0 {
		return nil, nil
	}
	names, few, err := v.destinations()
	if err != nil || !few {
		return nil, err
	}
	ids := messageStream{}
	for _, name := range names {
		prefix := nameKey(kDue, name)
		err = errors.Join(err, v.s.scan(v.snap, prefix, after(prefix), func(key, _ []byte) bool {
			if _, ref := cutDue(key[len(prefix):]); !before(ref.ID, v.q.After.ID) {
				ids = append(ids, ref.ID)
			}
			return true
		}))
	}
	slices.SortFunc(ids, func(a, b mail.ID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	return &ids, err
}

// destinations are those that the filter wants, if few recipients wait for them.
func (v *sieve) destinations() (names []string, few bool, err error) {
	looks, waiting := 0, int64(0)
	few = true
	err = v.s.scan(v.snap, []byte{kPlace}, []byte{kPlace + 1}, func(key, value []byte) bool {
		if name, _ := cutName(key[1:]); v.q.Filter.MatchDestination(name) {
			names = append(names, name)
			waiting += readPlace(value).count
		}
		looks++
		few = looks <= maxGathered && waiting <= maxGathered
		return few
	})
	return names, few, err
}

// messageStream is messages that were found.
type messageStream []mail.ID

func (s *messageStream) message() (mail.ID, bool) {
	if len(*s) == 0 {
		return mail.ID{}, false
	}
	return (*s)[0], true
}

func (s *messageStream) take() (may bool, err error) {
	*s = (*s)[1:]
	return true, nil
}

func (s *messageStream) close() error { return nil }
