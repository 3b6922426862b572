package door

import (
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/scenario"
)

// Stage is where scenarios are played. Doors may share one. The zero value is empty. It
// may be used by many goroutines.
type Stage struct {
	mu    sync.Mutex
	plays map[string]*scenario.Play // by inbox; "": whatever the inbox
}

// maxPlays is how many inboxes have scenarios of their own.
const maxPlays = 1000

// Play begins a scenario for an inbox, or for all of them if name is ""; nil ends it. It
// reports false if too many inboxes have one.
func (s *Stage) Play(name string, play *scenario.Scenario) bool {
	if name != "" {
		name = inbox.Fold(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if play == nil {
		delete(s.plays, name)
		return true
	}
	if s.plays == nil {
		s.plays = map[string]*scenario.Play{}
	}
	if _, there := s.plays[name]; !there && len(s.plays) >= maxPlays {
		return false
	}
	s.plays[name] = play.Play()
	return true
}

// Playing is the rules of the scenario of an inbox; nil if it has none.
func (s *Stage) Playing(name string) []scenario.Rule {
	if name != "" {
		name = inbox.Fold(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plays[name]; p != nil {
		return p.Scenario().Rules()
	}
	return nil
}

// ask finds out what the scenarios say of an event: that of the first inbox that has
// something to say, else that of all.
func (s *Stage) ask(e scenario.Event, inboxes ...string) scenario.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range append(inboxes, "") {
		if p := s.plays[name]; p != nil {
			if v := p.At(time.Now(), e); v.Rule > 0 {
				return v
			}
		}
	}
	return scenario.Verdict{}
}
