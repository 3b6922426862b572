package talk

import (
	"errors"
	"strings"
	"time"
)

// say sends a line and awaits what must come of it.
func (s *session) say(line string) error {
	if s.inText {
		return s.sayText(line)
	}
	s.said(s.mask(line))
	s.unasked = 0
	if err := s.send([]byte(line + "\r\n")); err != nil {
		return err
	}
	if err := s.awaitReply(); err != nil {
		return err
	}
	word, _, _ := strings.Cut(line, " ")
	verb := strings.ToLower(word)
	if s.inText = verb == "data" && s.last == 354; s.inText && s.typed {
		s.note("now the text; a line with a single dot ends it")
	}
	if verb == "quit" && s.last/100 == 2 {
		s.ended = true
		return nil
	}
	return s.passed(verb)
}

// sayText sends a line of a message's text. Dots are not doubled.
func (s *session) sayText(line string) error {
	if line == "." {
		return s.endText(func() error { return s.peer.write([]byte(".\r\n")) })
	}
	s.said(line)
	return s.send([]byte(line + "\r\n"))
}

// endText ends the text with its final dot, unless the session ends before it.
func (s *session) endText(dot func() error) error {
	if err := s.passed("text"); err != nil || s.ended {
		return err
	}
	s.inText = false
	s.said(".")
	if err := dot(); err != nil {
		return s.broken(err)
	}
	if err := s.awaitReply(); err != nil {
		return err
	}
	return s.passed("dot")
}

func (s *session) send(b []byte) error {
	if err := s.peer.write(b); err != nil {
		return s.broken(err)
	}
	return nil
}

// broken tells a connection that the other side closed from other faults.
func (s *session) broken(err error) error {
	if isClosed(err) {
		return s.lose(err)
	}
	return err
}

// quit says QUIT. That the other side closes without an answer is no matter.
func (s *session) quit() error {
	s.ended, s.typed = true, false
	if s.inText {
		s.note("cut the connection in the middle of the text")
		return nil
	}
	s.said("QUIT")
	err := s.send([]byte("QUIT\r\n"))
	if err == nil {
		err = s.awaitReply()
	}
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

func (s *session) said(line string) {
	if !s.typed {
		s.out.Said(time.Now(), []byte(line))
	}
}

func (s *session) note(format string, args ...any) { s.out.Note(time.Now(), format, args...) }

// mask hides the secrets of a line that is to be shown.
func (s *session) mask(line string) string {
	if s.secret {
		return "***"
	}
	words := strings.Fields(line)
	if len(words) > 2 && strings.EqualFold(words[0], "AUTH") {
		return words[0] + " " + words[1] + " ***"
	}
	return line
}
