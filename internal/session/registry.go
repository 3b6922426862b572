package session

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Options set up a [Registry]. A zero field has the default that is given.
type Options struct {
	Memory  int64 // octets of lines of all sessions; default 32 MiB
	Session int   // octets of lines of one; default 16 KiB
	Failed  int   // that are kept in each direction; default 100
	Recent  int   // others that have ended and are kept; default 200
}

func (o *Options) setDefaults() {
	o.Memory = cmp.Or(o.Memory, 32<<20)
	o.Session = cmp.Or(o.Session, 16<<10)
	o.Failed = cmp.Or(o.Failed, 100)
	o.Recent = cmp.Or(o.Recent, 200)
}

// Registry is the sessions of a house. Make one with [New]. It may be used by many
// goroutines.
type Registry struct {
	memory  memory
	number  atomic.Uint64
	changes atomic.Uint64

	mu    sync.RWMutex
	all   map[uint64]*session            // that live or are kept
	out   map[*smtpclient.Trace]*session // those of them that are ours, by what traces them
	ended [3]shelf                       // by kindOf
}

// Kinds of sessions that have ended.
const (
	failedIn = iota
	failedOut
	others
)

// shelf keeps the last so many.
type shelf struct {
	room int
	kept []*session // the oldest first
}

// maxMessages is of how many messages a session is known to have brought them: the last
// ones count.
const maxMessages = 64

// New makes a registry.
func New(o Options) *Registry {
	o.setDefaults()
	r := &Registry{memory: memory{most: o.Memory, each: o.Session}, all: map[uint64]*session{}, out: map[*smtpclient.Trace]*session{}}
	r.ended[failedIn].room, r.ended[failedOut].room, r.ended[others].room = o.Failed, o.Failed, o.Recent
	return r
}

// NextID is a number that no session has yet, for smtpserver.Server.NextID.
func (r *Registry) NextID() uint64 { return r.number.Add(1) }

// Changes grows when a session begins, ends or changes its state.
func (r *Registry) Changes() uint64 { return r.changes.Load() }

// begin notes that a session has begun.
func (r *Registry) begin(v View, cut func()) *session {
	s := &session{house: r, cut: cut, view: v}
	r.mu.Lock()
	r.all[v.ID] = s
	r.mu.Unlock()
	r.changes.Add(1)
	return s
}

// end notes that a session is over, and keeps it for a while.
func (r *Registry) end(s *session, at time.Time, err error) {
	kind := kindOf(s.finish(at, err))
	r.mu.Lock()
	shelf := &r.ended[kind]
	shelf.kept = append(shelf.kept, s)
	var gone *session
	if len(shelf.kept) > shelf.room {
		gone = shelf.kept[0]
		shelf.kept = slices.Delete(shelf.kept, 0, 1)
		delete(r.all, gone.view.ID)
		delete(r.out, gone.trace)
	}
	r.mu.Unlock()
	r.changes.Add(1)
	if gone != nil {
		gone.empty()
	}
}

func kindOf(v View) int {
	switch {
	case v.Failure == "":
		return others
	case v.Direction == In:
		return failedIn
	}
	return failedOut
}

// empty gives back the memory of a session that nobody can find any more.
func (s *session) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.house.memory.free(&s.ring)
}

// Brought notes that a message came in by a session; a number of none is passed over.
func (r *Registry) Brought(number uint64, id mail.ID) {
	if s := r.find(number); s != nil {
		s.brought(id)
	}
}

// Carries notes that a message is to go by an outgoing session, which is known by the trace
// that [Registry.Outbound] made.
func (r *Registry) Carries(t *smtpclient.Trace, id mail.ID) {
	r.mu.RLock()
	s := r.out[t]
	r.mu.RUnlock()
	if s != nil {
		s.brought(id)
		s.sends()
	}
}

// brought notes a message. The oldest goes when there are too many.
func (s *session) brought(id mail.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.many > 0 && s.messages[(s.many-1)%maxMessages] == id {
		return // another transaction with the same
	}
	if len(s.messages) < maxMessages {
		s.messages = append(s.messages, id)
	} else {
		s.messages[s.many%maxMessages] = id
	}
	s.many++
}

// has reports whether a message came in by the session, or was to go out by it.
func (s *session) has(id mail.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.messages, id)
}

// sends notes that messages go out by the session, and takes says whether they come in.
func (s *session) sends() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outgoing = true
}

func (s *session) takes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.outgoing
}

// List returns the sessions that live, the oldest first.
func (r *Registry) List() []View {
	var views []View
	for _, s := range r.sessions() {
		if v := s.stand(); v.Ended.IsZero() {
			views = append(views, v)
		}
	}
	slices.SortFunc(views, func(a, b View) int { return cmp.Compare(a.ID, b.ID) })
	return views
}

// Count is how many sessions live, in each direction.
func (r *Registry) Count() (in, out int) {
	for _, v := range r.List() {
		if v.Direction == In {
			in++
		} else {
			out++
		}
	}
	return in, out
}

// Ended returns the sessions that have failed and are kept, the last one first.
func (r *Registry) Ended() []View {
	r.mu.Lock()
	failed := slices.Concat(r.ended[failedIn].kept, r.ended[failedOut].kept)
	r.mu.Unlock()
	views := make([]View, len(failed))
	for i, s := range failed {
		views[i] = s.stand()
	}
	slices.SortFunc(views, func(a, b View) int { return b.Ended.Compare(a.Ended) })
	return views
}

// Find returns a session that lives or is kept, with its lines; false: it is not known.
func (r *Registry) Find(number uint64) (View, []Line, bool) {
	return told(r.find(number))
}

// Of returns the session by which a message came in, from its commit on and for as long
// as the session is kept. It looks at all of them.
func (r *Registry) Of(id mail.ID) (View, []Line, bool) {
	for _, s := range r.sessions() {
		if s.has(id) && s.takes() {
			return told(s)
		}
	}
	return told(nil)
}

// Carried returns the sessions by which a message came in or was to go out, as far as they
// are kept, the first one first. It looks at all of them.
func (r *Registry) Carried(id mail.ID) []View {
	var views []View
	for _, s := range r.sessions() {
		if s.has(id) {
			views = append(views, s.stand())
		}
	}
	slices.SortFunc(views, func(a, b View) int { return cmp.Compare(a.ID, b.ID) })
	return views
}

// sessions are those that live or are kept.
func (r *Registry) sessions() []*session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.all))
}

func told(s *session) (View, []Line, bool) {
	if s == nil {
		return View{}, nil, false
	}
	v, lines := s.transcript()
	return v, lines, true
}

func (r *Registry) find(number uint64) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.all[number]
}

// Cut closes the connection of a session at once, and reports whether it lived. A
// message whose final dot has come may have been taken all the same.
func (r *Registry) Cut(number uint64) bool {
	s := r.find(number)
	if s == nil {
		return false
	}
	s.mu.Lock()
	lives := s.view.Ended.IsZero()
	s.wasCut = s.wasCut || lives
	s.mu.Unlock()
	if lives {
		s.cut()
	}
	return lives
}
