package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// sessionCookie has the prefix by which browsers keep it to this host, to HTTPS
	// (or to this machine) and to the whole of its paths (RFC 6265bis, 4.1.3.2).
	sessionCookie = "__Host-posthouse"
	sessionIdle   = 12 * time.Hour     // without a request
	sessionLife   = 7 * 24 * time.Hour // in all
	maxSessions   = 10_000
)

// sessions are those who have logged in. The zero sessions is empty.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]session // by the hash of what the cookie says
}

type session struct {
	name        string
	begun, seen time.Time
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.seen) > sessionIdle || now.Sub(s.begun) > sessionLife
}

// begin begins a session of an account, and returns what its cookie says. The one that
// was seen least recently makes room.
func (s *sessions) begin(name string, now time.Time) string {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[sha256.Size]byte]session{}
	}
	if len(s.all) >= maxSessions {
		s.sweep(now)
	}
	s.all[sha256.Sum256([]byte(token))] = session{name, now, now}
	return token
}

// sweep removes sessions that are over, and one that is not if there are none.
func (s *sessions) sweep(now time.Time) {
	var oldest [sha256.Size]byte
	var at time.Time
	before := len(s.all)
	for key, one := range s.all {
		if one.over(now) {
			delete(s.all, key)
		} else if at.IsZero() || one.seen.Before(at) {
			oldest, at = key, one.seen
		}
	}
	if len(s.all) == before {
		delete(s.all, oldest)
	}
}

// of is the account of a request.
func (s *sessions) of(r *http.Request) (name string, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false
	}
	key, now := sha256.Sum256([]byte(cookie.Value)), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[key]
	if !ok || one.over(now) {
		delete(s.all, key)
		return "", false
	}
	one.seen = now
	s.all[key] = one
	return one.name, true
}

// end ends the session of a request.
func (s *sessions) end(r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(cookie.Value)))
}

// sessionCookieOf is the cookie of a session; "" takes it away.
func sessionCookieOf(token string) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}
