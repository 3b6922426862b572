package talk

import (
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// awaitReply shows what the other side says until a reply is whole.
func (s *session) awaitReply() error {
	if s.closed {
		return errClosed
	}
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	for {
		select {
		case h, open := <-s.peer.lines:
			if !open {
				return errClosed
			}
			if whole := s.show(h); whole {
				return s.check()
			}
			if s.closed {
				return s.checkClosed()
			}
		case <-timer.C:
			return errSilent
		case <-s.done:
			return errInterrupted
		}
	}
}

// show prints what was heard, and reports whether it ends a reply.
func (s *session) show(h heard) (whole bool) {
	if h.err != nil {
		_ = s.lose(h.err)
		return false
	}
	s.heard(h)
	code, more, ok := parseReplyLine(h.text)
	if !ok {
		s.note("that is no line of a reply")
		return false
	}
	if more {
		return false
	}
	s.last, s.secret = code, code == 334
	return true
}

// lose notes that the connection is gone.
func (s *session) lose(err error) error {
	if !s.closed {
		s.closed = true
		s.note("%v (%v)", errClosed, err)
	}
	return errClosed
}

// check holds the reply that just came against --expect.
func (s *session) check() error {
	if len(s.expect) == 0 {
		return nil
	}
	want := s.expect[0]
	s.expect = s.expect[1:]
	return s.matches(want)
}

// checkClosed holds the end of the connection against --expect.
func (s *session) checkClosed() error {
	if len(s.expect) == 0 || !s.expect[0].wantsClosed() {
		return errClosed
	}
	s.expect = s.expect[1:]
	return nil
}

func (s *session) matches(want pattern) error {
	if want.matches(s.last, s.closed) {
		return nil
	}
	return cli.Fail(cli.Protocol, "expected %s, the reply was %d", want, s.last)
}

// parseReplyLine reads the code of a line of a reply, and whether more lines
// follow. How the line ends does not matter here: that was shown.
func parseReplyLine(line string) (code int, more, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 3 {
		return 0, false, false
	}
	for i := range 3 {
		if line[i] < '0' || line[i] > '9' {
			return 0, false, false
		}
		code = code*10 + int(line[i]-'0')
	}
	if len(line) == 3 {
		return code, false, true
	}
	return code, line[3] == '-', line[3] == '-' || line[3] == ' '
}

// heard prints a line without its CRLF. Any other end is shown, and a "\" where
// the line has none: it goes on, or breaks off.
func (s *session) heard(h heard) {
	text, ok := strings.CutSuffix(h.text, "\r\n")
	if !ok && !strings.HasSuffix(text, "\n") {
		text += `\`
	}
	s.out.Heard(h.at, []byte(text))
}
