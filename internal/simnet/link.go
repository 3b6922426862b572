package simnet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// link is one connection: two ends, and what is on its way between them. Its
// mutex is never held across a wait.
type link struct {
	net     *Net
	event   Event // names it
	weather Weather
	residue time.Duration
	hosts   [2]*Host

	mu      sync.Mutex
	ends    [2]*conn  // the first has dialled
	streams [2]stream // as written by each end
	stalled bool      // there is no road: what is sent arrives when there is one again
	dead    bool      // nothing arrives any more
	silent  bool      // and nobody is told of that
}

// stream is one direction.
type stream struct {
	segments []segment // sent, and not yet read
	held     int       // octets that were written and not read
	sent     int64
	cutAt    int64 // octets that get through; negative: all
	free     time.Time
	last     time.Time // when what was sent last arrives
}

// segment is what arrives at one instant.
type segment struct {
	data []byte
	fin  bool      // nothing follows
	at   time.Time // zero: there is no road
}

// segmentSize is how many octets arrive together at most.
const segmentSize = 16 << 10

// unanswered is how long a system waits for what it has sent to be acknowledged.
const unanswered = 15 * time.Minute

func newLink(n *Net, name Event, w Weather, chance *rand.Rand) *link {
	l := &link{net: n, event: name, weather: w, residue: residue(chance)}
	l.streams[0].cutAt, l.streams[1].cutAt = -1, -1
	cut, within, back, silent := chance.Float64(), chance.Int64N(w.Within), chance.IntN(2), chance.Float64()
	if cut < w.Cuts {
		l.streams[back].cutAt, l.silent = within, silent < w.Silent
	}
	return l
}

// connect makes the ends.
func (l *link) connect(from, to *Host, local, remote net.Addr) *conn {
	l.hosts = [2]*Host{from, to}
	l.ends[0] = newConn(l, 0, local, remote)
	l.ends[1] = newConn(l, 1, remote, local)
	return l.ends[0]
}

func (l *link) latency() time.Duration { return l.weather.Latency + l.residue }

func (l *link) tell(what string) {
	e := l.event
	e.What = what
	l.net.observe(e)
}

// send puts octets on their way from an end, up to where the link is cut. It
// returns whether that is here.
func (l *link) send(from int, p []byte, now time.Time) (cut bool) {
	s := &l.streams[from]
	s.held += len(p)
	s.sent += int64(len(p))
	switch {
	case l.dead || l.ends[1-from].closed:
		l.lose(from, now)
		return false
	case s.cutAt >= 0 && s.sent >= s.cutAt:
		p, cut = p[:max(0, len(p)-int(s.sent-s.cutAt))], true
	}
	for len(p) > 0 {
		n := min(len(p), segmentSize)
		l.post(from, segment{data: append([]byte(nil), p[:n]...)}, now)
		p = p[n:]
	}
	if cut {
		l.cut(from, now)
	} else if l.stalled {
		l.lose(from, now)
	}
	return cut
}

// post gives a segment the time at which it arrives.
func (l *link) post(from int, g segment, now time.Time) {
	s := &l.streams[from]
	if !l.stalled {
		g.at = l.arrival(s, len(g.data), now)
	}
	s.segments = append(s.segments, g)
	l.ends[1-from].readable.notify()
}

func (l *link) arrival(s *stream, octets int, now time.Time) time.Time {
	if s.free.Before(now) {
		s.free = now
	}
	if l.weather.Bandwidth > 0 {
		s.free = s.free.Add(time.Duration(octets) * time.Second / time.Duration(l.weather.Bandwidth))
	}
	if at := s.free.Add(l.latency()); at.After(s.last) {
		s.last = at
	}
	return s.last
}

// cut breaks the link where an end was sending.
func (l *link) cut(from int, now time.Time) {
	l.dead = true
	if l.silent {
		l.lose(from, now)
		return
	}
	there := now.Add(l.latency())
	if last := l.streams[from].last; last.After(there) {
		there = last
	}
	l.ends[1-from].reset(there, syscall.ECONNRESET)
	l.ends[from].reset(there.Add(l.latency()), syscall.ECONNRESET)
}

// lose is what becomes of an end whose octets nobody takes.
func (l *link) lose(from int, now time.Time) {
	absent := l.stalled || l.hosts[1-from].down.Load()
	switch {
	case absent || l.dead && l.silent:
		l.ends[from].reset(now.Add(unanswered), syscall.ETIMEDOUT)
	default:
		l.ends[from].reset(now.Add(2*l.latency()), syscall.ECONNRESET)
	}
}

// stall takes the road away, or gives it back.
func (l *link) stall(parted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || l.stalled == parted {
		return
	}
	l.stalled = parted
	now := time.Now()
	for from := range l.streams {
		if parted {
			l.hold(from, now)
		} else {
			l.resume(from, now)
		}
	}
}

// hold keeps what is on its way from arriving.
func (l *link) hold(from int, now time.Time) {
	s := &l.streams[from]
	s.last, s.free = time.Time{}, time.Time{}
	for i := range s.segments {
		if s.segments[i].at.After(now) {
			s.segments[i].at = time.Time{}
			l.lose(from, now)
		}
	}
}

// resume sends again what did not arrive.
func (l *link) resume(from int, now time.Time) {
	s := &l.streams[from]
	for i := range s.segments {
		if g := &s.segments[i]; g.at.IsZero() {
			g.at = l.arrival(s, len(g.data), now)
		}
	}
	if c := l.ends[from]; c.why == syscall.ETIMEDOUT {
		c.why = nil
	}
	l.ends[0].wake()
	l.ends[1].wake()
}

// cutBy applies the first cut that means this link and is not used up.
func (l *link) cutBy(cuts []*Cut) {
	for _, c := range cuts {
		if !c.means(l.event) {
			continue
		}
		from := 0
		if c.Back {
			from = 1
		}
		l.streams[from].cutAt, l.silent = c.At, c.Silent
		return
	}
}

func (l *link) tellCut(from int) {
	way, told := "there", ""
	if from == 1 {
		way = "back"
	}
	if l.silent {
		told = ", and nobody knows"
	}
	l.tell(fmt.Sprintf("cut after %d octets %s%s", l.streams[from].cutAt, way, told))
}
