package session

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// session is one connection. What is said comes from the goroutine that speaks on it.
type session struct {
	house *Registry
	cut   func()
	trace *smtpclient.Trace // of one of ours

	mu        sync.Mutex
	view      View // but State, Last and LastFrom, which talk and ring know
	talk      dialogue
	ring      ring
	text      int64 // octets that came since the last line
	textAt    time.Time
	followers []*Follower
	messages  []mail.ID // that came in by it, or were to go out: the last maxMessages
	many      int       // how many there were
	outgoing  bool      // they were to go out
	wasCut    bool
}

// command notes a line of the client, reply one of the server.
func (s *session) command(at time.Time, line []byte) { s.said(at, Client, line) }
func (s *session) reply(at time.Time, line []byte)   { s.said(at, Server, line) }

func (s *session) said(at time.Time, from Speaker, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk.state == Ended { // whoever closed the connection did so under the hands of another
		return
	}
	s.endText()
	s.count(at, from, int64(len(line)+2))
	was := s.talk.state
	if from == Client {
		s.talk.command(line)
	} else if len(line) > 3 && line[3] == ' ' || len(line) == 3 {
		s.answered(line)
	}
	s.note(at, byte(from), line)
	if was != s.talk.state {
		s.house.changes.Add(1)
	}
}

// count counts a line.
func (s *session) count(at time.Time, from Speaker, octets int64) {
	s.view.Since = at
	if (from == Client) == (s.view.Direction == In) {
		s.view.LinesIn++
		s.view.BytesIn += octets
	} else {
		s.view.LinesOut++
		s.view.BytesOut += octets
	}
}

// answered takes the last line of a reply.
func (s *session) answered(line []byte) {
	rests := s.talk.state == Idle && s.view.Messages > 0
	if s.talk.reply(line) {
		s.view.Messages++
	}
	refused := line[0] == '4' || line[0] == '5'
	if refused && s.view.Failure == "" && !(rests && bytes.HasPrefix(line, farewell)) {
		s.view.Failure = string(line[:min(len(line), maxLine)])
	}
}

// farewell ends a session that has rested for too long, which is as it should be.
var farewell = []byte("421")

// texted notes a piece of text of a message, which the client sends.
func (s *session) texted(at time.Time, octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk.state == Ended {
		return
	}
	s.text += int64(octets)
	s.textAt = at
	s.view.Since = at
	if s.view.Direction == In {
		s.view.BytesIn += int64(octets)
	} else {
		s.view.BytesOut += int64(octets)
	}
}

// endText notes how much text there was. The lock is held.
func (s *session) endText() {
	if s.text == 0 {
		return
	}
	var octets [8]byte
	binary.BigEndian.PutUint64(octets[:], uint64(s.text))
	s.text = 0
	s.note(s.textAt, byte(Client)|textMark, octets[:])
}

func (s *session) secured(at time.Time, state tls.ConnectionState) {
	words := tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk.state == Ended {
		return
	}
	s.view.TLS = words
	s.talk = dialogue{state: Hello, greeted: s.talk.greeted}
	s.note(at, byte(House), []byte(words))
}

// known notes what a client calls itself and whence it comes, as a proxy may tell.
func (s *session) known(hello string, peer netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Hello, s.view.Peer = printable(hello), peer
}

// note keeps a line, and wakes who follows. The lock is held.
func (s *session) note(at time.Time, from byte, line []byte) {
	if need := len(s.ring.buf) + headSize + min(len(line), maxLine); need > cap(s.ring.buf) {
		s.house.memory.enlarge(&s.ring, need)
	}
	s.ring.add(at, from, line)
	for _, f := range s.followers {
		f.wake()
	}
}

// finish notes the end. It returns how the session stands then.
func (s *session) finish(at time.Time, err error) View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endText()
	switch why := s.why(err); {
	case why != "":
		if s.view.Failure == "" {
			s.view.Failure = why
		}
		s.note(at, byte(House), []byte(why))
	case errors.Is(err, io.EOF):
		s.note(at, byte(House), []byte("the other side has closed the connection"))
	}
	s.talk.state = Ended
	s.view.Ended = at
	for _, f := range s.followers {
		f.wake()
	}
	return s.look()
}

// why says what was wrong with the end of a session, "" if nothing was. A client that
// goes between two messages, or has only looked in, is no failure.
func (s *session) why(err error) string {
	switch {
	case s.wasCut:
		return "cut by an operator"
	case err == nil:
		return ""
	}
	rests := s.talk.state == Idle || s.talk.state <= Hello && s.talk.state != TLS
	if errors.Is(err, io.EOF) && (rests || s.talk.state == Closing) {
		return ""
	}
	if s.talk.state == Idle && s.view.Messages > 0 {
		return ""
	}
	return printable(err.Error())
}

// look is how the session stands. The lock is held.
func (s *session) look() View {
	v := s.view
	v.State = s.talk.state
	last := s.ring.newest()
	v.Last, v.LastFrom = last.Text, last.From
	return v
}

func (s *session) stand() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look()
}

// transcript is all that is kept.
func (s *session) transcript() (View, []Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.look()
	v.Carried = slices.Clone(s.messages)
	return v, s.since(0)
}

// since is what is kept from the line of a number on, and text that is coming.
// The lock is held.
func (s *session) since(number uint64) []Line {
	lines := s.ring.lines(nil, number)
	if s.text > 0 {
		lines = append(lines, Line{At: s.textAt, From: Client, Octets: s.text})
	}
	return lines
}
