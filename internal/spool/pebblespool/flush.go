package pebblespool

import (
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// soon has the flusher make durable what was just applied.
func (s *Spool) soon() {
	select {
	case s.lazy <- struct{}{}:
	default: // it knows
	}
}

// flusher keeps the lag of lazy calls: half of it is left for the sync itself.
func (s *Spool) flusher() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.lazy:
		}
		select {
		case <-s.stop:
			return
		case <-time.After(spool.Lag / 2):
		}
		s.unlinkDurable()
	}
}

// unlinkDurable makes everything durable, and then removes the files that
// nothing names any more.
func (s *Spool) unlinkDurable() {
	s.mu.Lock()
	numbers := s.unlinks
	s.unlinks = nil
	s.mu.Unlock()
	if s.sync() != nil {
		return // latched; the next start removes the files
	}
	if err := s.unlink(numbers); err != nil {
		s.opts.Log.Error("body files were not removed; the next start will try again", "error", err)
	}
}

// janitor looks at the disk and forgets what is past keeping.
func (s *Spool) janitor() {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.stop:
			return
		case <-look.C:
		}
		s.room.look(s)
		if n%60 == 59 {
			s.tidy()
		}
	}
}

func (s *Spool) tidy() {
	if err := s.trimFacts(); err != nil {
		s.opts.Log.Error("the journal was not trimmed", "error", err)
	}
	if err := s.expireStates(); err != nil {
		s.opts.Log.Error("expired states were not removed", "error", err)
	}
}
