package talk

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

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
			s.show(h)
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

// say sends a line and awaits what must come of it.
func (s *session) say(line string) error {
	if s.inText {
		return s.sayText(line)
	}
	s.said(s.mask(line))
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
				return errClosed
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

func (s *session) said(line string) {
	if !s.typed {
		s.out.Said(time.Now(), line)
	}
}

func (s *session) note(format string, args ...any) { s.out.Note(time.Now(), format, args...) }

// heard prints a line without its CRLF. Any other end is shown, and a "\" where
// the line has none: it goes on, or breaks off.
func (s *session) heard(h heard) {
	text, ok := strings.CutSuffix(h.text, "\r\n")
	if !ok && !strings.HasSuffix(text, "\n") {
		text += `\`
	}
	s.out.Heard(h.at, text)
}

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
