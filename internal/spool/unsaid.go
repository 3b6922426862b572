package spool

import "time"

// Unsaid is what a node has counted and not told a [Counter] yet. It holds no lock. The zero Unsaid is
// empty. When it holds very much more is not noted: who comes so often from so many places is told so by
// each node for itself.
type Unsaid struct {
	by   map[string]time.Duration
	kick chan struct{}
}

// Tell returns a channel that has a value when there is something to tell. It is for one listener.
func (u *Unsaid) Tell() <-chan struct{} {
	if u.kick == nil {
		u.kick = make(chan struct{}, 1)
	}
	return u.kick
}

// Add notes what was counted.
func (u *Unsaid) Add(key string, by time.Duration) {
	if u.by == nil {
		u.by = map[string]time.Duration{}
	}
	if _, there := u.by[key]; !there && len(u.by) >= MaxCounts {
		return
	}
	u.by[key] += by
	select {
	case u.kick <- struct{}{}:
	default: // nobody listens, or he has not looked since the last time
	}
}

// Of is what was counted of a key.
func (u *Unsaid) Of(key string) time.Duration { return u.by[key] }

// Take takes some of it, to be told.
func (u *Unsaid) Take() []Counted {
	var all []Counted
	for key, by := range u.by {
		if len(all) == MaxCounted {
			break
		}
		delete(u.by, key)
		if by != 0 {
			all = append(all, Counted{Key: key, By: by})
		}
	}
	return all
}

// Return takes back what came to nobody.
func (u *Unsaid) Return(counted []Counted) {
	for _, c := range counted {
		u.Add(c.Key, c.By)
	}
}
