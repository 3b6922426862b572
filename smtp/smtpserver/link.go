package smtpserver

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// link is the connection below a dialogue. What is written to it is kept until
// it is about to wait for the client, so that the replies to commands that came
// together leave together (RFC 2920, 3.2).
type link struct {
	nc  net.Conn
	tls *tls.Conn // nil without TLS; with it, the same as nc
	out []byte    // written, but not yet sent

	mu          sync.Mutex // guards what others than the session touch
	waiting     bool       // for a command
	since       time.Time  // when that began
	interrupted bool       // by Shutdown
	hurried     bool       // by hurry

	endBy   time.Time // when the session is over, whatever it does; zero: no limit
	readBy  time.Time // the read deadline that is set
	writeBy time.Time // the write deadline that is set

	text  textClock
	told  toldText
	trace *Trace // nil: nobody listens
}

// textClock reckons how long a client takes for its text.
type textClock struct {
	on      bool // text is being read, and not commands
	limits  *Limits
	waited  time.Duration // spent waiting for octets of this text
	octets  int64         // that have come
	most    int64         // octets after which reading ends with errDiscard; 0: no limit
	expired bool          // the client was slower than DataRate
}

const (
	// writeTimeout is how long a client may leave replies unread.
	writeTimeout = 5 * time.Minute
	// flushSize is how many octets of replies are kept at the most.
	flushSize = 8 << 10
	// keepOut is how many octets of memory an idle connection keeps for replies.
	keepOut = 128
)

// incoming is the side of a link that the smtp.Reader above reads.
type incoming link

// Read flushes what was written and waits for the client.
func (in *incoming) Read(p []byte) (int, error) {
	l := (*link)(in)
	if err := l.flush(); err != nil {
		return 0, err
	}
	if l.text.on {
		return l.readText(p)
	}
	return l.nc.Read(p)
}

// readText waits for text, no longer than the limits on it allow.
func (l *link) readText(p []byte) (int, error) {
	t := &l.text
	if t.most > 0 && t.octets >= t.most {
		return 0, errDiscard
	}
	l.tellText()
	start := time.Now()
	by := start.Add(week)
	if t.limits.DataIdle != none {
		by = start.Add(t.limits.DataIdle)
	}
	if !l.endBy.IsZero() && l.endBy.Before(by) {
		by = l.endBy
	}
	slow := false
	if t.limits.DataRate != none {
		allowed := t.limits.DataGrace + time.Duration(t.octets/t.limits.DataRate)*time.Second
		if left := start.Add(allowed - t.waited); left.Before(by) {
			by, slow = left, true
		}
	}
	if err := l.setReadBy(by, start); err != nil {
		return 0, err
	}
	n, err := l.nc.Read(p)
	t.octets += int64(n)
	t.waited += time.Since(start)
	if err != nil && os.IsTimeout(err) {
		t.expired = slow
	}
	return n, err
}

// errDiscard says that a session has had more octets thrown away than Limits allow.
var errDiscard = errors.New("too much refused text")

// week stands for "no limit" where a time is needed.
const week = 7 * 24 * time.Hour

// slack is how much later than asked for a deadline may be: setting one costs
// as much as some commands. [Limits] tells of it.
func slack(d time.Duration) time.Duration { return d / 16 }

// setReadBy sets the read deadline, or leaves the one that is set if it is a
// little later than asked for.
func (l *link) setReadBy(by, now time.Time) error {
	if !l.readBy.Before(by) && l.readBy.Sub(by) <= slack(by.Sub(now)) {
		return nil
	}
	l.readBy = by.Add(slack(by.Sub(now)))
	return l.nc.SetReadDeadline(l.readBy)
}

// flush sends what was written.
func (l *link) flush() error {
	if len(l.out) == 0 {
		return nil
	}
	now := time.Now()
	if by := now.Add(writeTimeout); l.writeBy.Before(by) {
		l.writeBy = by.Add(slack(writeTimeout))
		if err := l.nc.SetWriteDeadline(l.writeBy); err != nil {
			return err
		}
	}
	_, err := l.nc.Write(l.out)
	if cap(l.out) > keepOut {
		l.out = nil
	}
	l.out = l.out[:0]
	return err
}

// beginWait notes that a command is awaited, until at most by. It returns false
// if the server is shutting down.
func (l *link) beginWait(by, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupted {
		return false
	}
	l.waiting, l.since = true, now
	_ = l.setReadBy(by, now) // an error shows up in the read as well
	return true
}

// endWait notes that no command is awaited any more. It returns true if the
// server began to shut down in the meantime.
func (l *link) endWait() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	if l.interrupted || l.hurried {
		l.hurried = false
		l.readBy = time.Time{} // what is set is over; the next read sets it anew
	}
	return l.interrupted
}

// interrupt ends the wait for a command, now or when it next begins.
func (l *link) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	if l.waiting {
		_ = l.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// hurry ends the wait for a command, as if its time were over, if it began before a
// time. It returns whether it did.
func (l *link) hurry(before time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waiting || l.interrupted || !l.since.Before(before) {
		return false
	}
	l.hurried = true
	_ = l.nc.SetReadDeadline(time.Unix(1, 0)) // an error shows up in the read as well
	return true
}

// cut closes the connection under whoever uses it.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	if l.tls != nil {
		_ = l.tls.NetConn().Close() // without its farewell, which waits for the client
		return
	}
	_ = l.nc.Close()
}
