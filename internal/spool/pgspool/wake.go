package pgspool

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel = "posthouse_spool"
	// slowPoll is how often everybody looks who was told nothing, since a word may be lost.
	slowPoll = 5 * time.Second
	// gathering is how long the words of many calls are gathered into one: each takes a lock of the whole database.
	gathering = 20 * time.Millisecond
)

// wakers are those who want to hear when there is work.
type wakers struct {
	mu    sync.Mutex
	ears  []ear
	words chan string // to be told to others: the name of the node that did it, or ""
}

type ear struct {
	node string
	c    chan struct{}
}

// Wake implements [spool.Waker].
func (s *Spool) Wake(node string) <-chan struct{} {
	e := ear{node, make(chan struct{}, 1)}
	s.wakers.mu.Lock()
	defer s.wakers.mu.Unlock()
	s.wakers.ears = append(s.wakers.ears, e)
	return e.c
}

// ring wakes all but the node that has done it itself.
func (w *wakers) ring(by string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ears {
		if by != "" && e.node == by {
			continue
		}
		select {
		case e.c <- struct{}{}:
		default:
		}
	}
}

// tell says to the others that this node has left work to lease; tellAll says
// to all that something is asked.
func (s *Spool) tell()    { s.say(s.opts.Node) }
func (s *Spool) tellAll() { s.say("") }

func (s *Spool) say(by string) {
	select {
	case s.wakers.words <- by:
	default: // there are words enough under way
	}
}

// announce tells the others, some words at a time.
func (s *Spool) announce() {
	for {
		select {
		case <-s.working.Done():
			return
		case by := <-s.wakers.words:
			said := map[string]bool{by: true}
			s.pause(gathering)
			for more := true; more; {
				select {
				case by := <-s.wakers.words:
					said[by] = true
				default:
					more = false
				}
			}
			s.notify(said)
		}
	}
}

func (s *Spool) notify(said map[string]bool) {
	ctx, cancel := s.limit(s.ctx)
	defer cancel()
	var b pgx.Batch
	b.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	for by := range said {
		b.Queue("SELECT pg_notify($1, $2)", channel, by)
	}
	if err := s.run(ctx, &b); err != nil {
		s.pulse.look()
	}
}

// pause waits, unless the engine is closed.
func (s *Spool) pause(long time.Duration) {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-s.working.Done():
	case <-t.C:
	}
}

// listen hears what others tell, over a connection of its own, which is made again when it is lost.
func (s *Spool) listen() {
	for s.working.Err() == nil {
		err := s.hear(s.working)
		if s.working.Err() == nil && err != nil {
			s.opts.Log.Warn("the line on which other nodes tell of work is cut, and made again", "because", told(err))
			s.pause(time.Second)
		}
		s.wakers.ring("")
	}
}

func (s *Spool) hear(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, slowPoll)
		word, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil:
			s.wakers.ring(word.Payload)
		case ctx.Err() != nil:
			return nil
		case wait.Err() != nil: // nothing was said; the connection goes on
			s.wakers.ring("")
			if err := conn.Ping(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}
