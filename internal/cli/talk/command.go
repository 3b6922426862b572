package talk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// command is a line that begins with a slash.
type command struct {
	name, args, help string
	run              func(s *session, args string) error
}

func commands() []command {
	return []command{
		{"/starttls", "", "say STARTTLS and go over to TLS", (*session).sayStartTLS},
		{"/tls", "", "go over to TLS without a word", func(s *session, _ string) error { return s.startTLS() }},
		{"/auth", "MECH USER", "log in with PLAIN or LOGIN; the password is asked for", (*session).auth},
		{"/data", "FILE", "say DATA and send a message, dots doubled", (*session).data},
		{"/raw", "BYTES", "send octets as they are, and do not wait", (*session).raw},
		{"/wait", "[N]", "await N replies more (1)", (*session).wait},
		{"/expect", "CODES", "fail unless the last reply has one of the codes", (*session).expectLast},
		{"/pause", "TIME", "do nothing for a time such as 1.5s", (*session).pause},
		{"/quit", "", "say QUIT and end", func(s *session, _ string) error { return s.quit() }},
		{"/drop", "", "cut the connection", func(s *session, _ string) error { s.drop(); return nil }},
		{"/help", "", "show this list", func(s *session, _ string) error { s.help(); return nil }},
	}
}

func helpText() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-18s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	return b.String()
}

func (s *session) help() {
	for line := range strings.Lines(helpText()) {
		s.note("%s", strings.TrimRight(line, "\n"))
	}
}

func (s *session) command(line string) error {
	name, args, _ := strings.Cut(line, " ")
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		args = strings.TrimSpace(args)
		if args == "" && c.args != "" && !strings.HasPrefix(c.args, "[") {
			return cli.Fail(cli.Usage, "%s needs %s", c.name, c.args)
		}
		if args != "" && c.args == "" {
			return cli.Fail(cli.Usage, "%s takes nothing behind it", c.name)
		}
		return c.run(s, args)
	}
	return cli.Fail(cli.Usage, "%s is no command of talk (/help lists them; to send it, write /%s)", cli.Printable(name), cli.Printable(name))
}

func (s *session) raw(args string) error {
	b, err := unescape(args)
	if err != nil {
		return cli.Fail(cli.Usage, "%w", err)
	}
	for line := range strings.Lines(string(b)) {
		s.said(s.mask(line))
	}
	s.unasked = 0
	return s.send(b)
}

func (s *session) wait(args string) error {
	n := 1
	if args != "" {
		var err error
		if n, err = strconv.Atoi(args); err != nil || n < 1 {
			return cli.Fail(cli.Usage, "/wait takes a number of replies, not %q", args)
		}
	}
	seen := min(n, s.unasked) // while the person typed
	s.unasked -= seen
	for range n - seen {
		if err := s.awaitReply(); err != nil {
			return err
		}
	}
	s.inText = s.last == 354
	return nil
}

func (s *session) expectLast(args string) error {
	want, err := parsePattern(strings.Fields(args))
	if err != nil {
		return err
	}
	for want.wantsClosed() && !s.closed && !want.matches(s.last, s.closed) {
		if err := s.awaitReply(); err != nil && !errors.Is(err, errClosed) {
			return err
		}
	}
	return s.matches(want)
}

func (s *session) pause(args string) error {
	d, err := time.ParseDuration(args)
	if err != nil || d < 0 {
		return cli.Fail(cli.Usage, "/pause takes a time such as 1.5s, not %q", args)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.done:
		return errInterrupted
	}
}
