package talk

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
)

// session is a dialogue with one peer.
type session struct {
	*options
	peer        *peer
	config      *tls.Config
	out         *cli.Dialogue
	interactive bool
	done        <-chan struct{} // closed when the user wants to end
	expect      []pattern       // of the replies to come

	last    int  // code of the last reply; 0: none
	unasked int  // replies that came by themselves since a person said something
	typed   bool // the line is on the terminal already
	inText  bool // lines are the text of a message
	secret  bool // the next line answers a challenge of AUTH
	trusted bool // TLS stands and its certificate is valid
	closed  bool // by the other side
	ended   bool // QUIT was said, or we cut the connection
	reached bool // the step of --quit-after or --drop-after
}

// Reasons why a reply did not come.
var (
	errClosed      = errors.New("the other side closed the connection")
	errSilent      = errors.New("no reply in time")
	errInterrupted = errors.New("interrupted")
)

// run plays the session to its end.
func (s *session) run(in *prompter) error {
	err := s.open()
	for err == nil && !s.ended {
		line, more := s.next(in)
		if !more {
			break
		}
		err = s.perform(line)
	}
	if err == nil && !s.ended && !s.closed {
		err = s.quit()
	}
	if last := s.dropAfter + s.quitAfter; err == nil && last != "" && !s.reached {
		err = cli.Fail(cli.Protocol, "the session ended before %q", last)
	}
	if err == nil && len(s.expect) > 0 {
		err = cli.Fail(cli.Protocol, "the session ended where a reply with %s was expected", s.expect[0])
	}
	return status(err)
}

// open reads the greeting, and begins with TLS if that is wanted.
func (s *session) open() error {
	if s.tls == "implicit" {
		if err := s.startTLS(); err != nil {
			return err
		}
	}
	if err := s.awaitReply(); err != nil {
		return err
	}
	if err := s.passed("connect"); err != nil || s.ended || s.tls != "starttls" {
		return err
	}
	if err := s.say("EHLO localhost"); err != nil || s.ended {
		return err
	}
	return s.sayStartTLS("")
}

// next returns the next line. A person sees meanwhile what the other side says
// by itself; a script hears it when it awaits a reply, so that it always goes
// the same way.
func (s *session) next(in *prompter) (input, bool) {
	var lines <-chan heard
	if s.interactive {
		lines = s.peer.lines
	}
	for {
		if s.closed && s.interactive {
			return input{}, false
		}
		select {
		case line, more := <-in.next():
			in.asked = false
			return line, more
		case h, open := <-lines:
			if !open {
				lines = nil
				continue
			}
			if s.show(h) {
				s.unasked++
				s.inText = s.inText || s.last == 354
			}
		case <-s.done:
			return input{err: errInterrupted}, true
		}
	}
}

// perform carries out one line. A person may go on after a fault.
func (s *session) perform(line input) error {
	if errors.Is(line.err, errInterrupted) {
		return line.err
	}
	if line.err != nil {
		return readFault(line.err)
	}
	err := s.step(line.text)
	if err == nil || s.ended {
		return err
	}
	if s.interactive && !s.closed && !errors.Is(err, errInterrupted) {
		s.note("%v", err)
		return nil
	}
	if s.interactive {
		return err
	}
	return &lineError{line, err}
}

func (s *session) step(line string) error {
	switch {
	case strings.HasPrefix(line, "//"):
		line = line[1:]
	case strings.HasPrefix(line, "/"):
		return s.command(line)
	case !s.inText && (strings.HasPrefix(line, "#") || line == "" && !s.secret):
		return nil
	}
	s.typed = s.interactive
	defer func() { s.typed = false }()
	return s.say(line)
}

// passed looks whether the session ends after a step.
func (s *session) passed(step string) error {
	switch step {
	case s.dropAfter:
		s.reached = true
		s.drop()
	case s.quitAfter:
		s.reached = true
		return s.quit()
	}
	return nil
}

func (s *session) drop() {
	s.note("cut the connection")
	s.ended = true
}

// lineError tells at which line of the script the session failed.
type lineError struct {
	line input
	err  error
}

func (e *lineError) Error() string {
	return fmt.Sprintf("line %d: %v", e.line.number, e.err)
}

func (e *lineError) Unwrap() error { return e.err }

// status gives an error the status to end with.
func status(err error) error {
	if _, told := cli.StatusOf(err); told {
		return err
	}
	switch {
	case errors.Is(err, errSilent), errors.Is(err, errInterrupted):
		return cli.Fail(cli.TempFail, "%w", err)
	case errors.Is(err, errClosed):
		return cli.Fail(cli.Protocol, "%w", err)
	}
	return cli.Fail(cli.IOErr, "%w", err)
}
