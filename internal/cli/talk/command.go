package talk

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
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

func (s *session) sayStartTLS(string) error {
	if err := s.say("STARTTLS"); err != nil || s.ended {
		return err
	}
	if s.last != 220 {
		return cli.Fail(cli.Protocol, "STARTTLS was not accepted")
	}
	return s.startTLS()
}

func (s *session) startTLS() error {
	state, left, err := s.peer.startTLS(s.config)
	for _, line := range left {
		s.note("came in the clear before TLS and is ignored: %s", line)
	}
	if err != nil {
		return cli.Fail(cli.Unavailable, "TLS: %w", err)
	}
	s.trusted = s.describe(state)
	return s.passed("tls")
}

// describe tells of the TLS that was agreed on, and whether the certificate is
// one to trust.
func (s *session) describe(state tls.ConnectionState) (trusted bool) {
	s.note("%s with %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	cert := state.PeerCertificates[0]
	pool := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{DNSName: s.config.ServerName, Roots: s.config.RootCAs, Intermediates: pool})
	verdict := "valid for " + s.config.ServerName
	if err != nil {
		verdict = "NOT VALID: " + err.Error()
	}
	s.note("certificate of %s, by %s, until %s: %s", cert.Subject, cert.Issuer, cert.NotAfter.Format(time.DateOnly), verdict)
	return err == nil
}

// auth logs in (RFC 4954, 4).
func (s *session) auth(args string) error {
	mech, user, ok := strings.Cut(args, " ")
	if !ok {
		return cli.Fail(cli.Usage, "/auth needs MECH USER")
	}
	if !s.trusted && !s.plainAuth {
		return cli.Fail(cli.Usage, "a password would go out without TLS or to a server whose certificate is not valid (say /starttls before, name the --ca, or allow it with --allow-plaintext-auth)")
	}
	password, err := s.askPassword()
	if err != nil {
		return err
	}
	lines, err := loginLines(strings.ToUpper(mech), user, password)
	if err != nil {
		return err
	}
	for i, line := range lines {
		if err := s.say(line); err != nil || s.ended || i+1 < len(lines) && s.last != 334 {
			return err
		}
	}
	return nil
}

// loginLines are what the client says to log in, each but the first after a
// challenge: PLAIN (RFC 4616) or LOGIN (draft-murchison-sasl-login-00).
func loginLines(mech, user, password string) ([]string, error) {
	encode := base64.StdEncoding.EncodeToString
	switch mech {
	case "PLAIN":
		return []string{"AUTH PLAIN " + encode([]byte("\x00"+user+"\x00"+password))}, nil
	case "LOGIN":
		return []string{"AUTH LOGIN", encode([]byte(user)), encode([]byte(password))}, nil
	}
	return nil, cli.Fail(cli.Usage, "%s is neither PLAIN nor LOGIN", mech)
}

// askPassword takes the password from the file or from the person.
func (s *session) askPassword() (string, error) {
	if s.passwordFile != "" {
		return cli.ReadSecret(s.passwordFile)
	}
	if !s.interactive {
		return "", cli.Fail(cli.Usage, "no password (name a file that holds it with --password-file)")
	}
	fmt.Fprint(os.Stderr, "password: ")
	defer fmt.Fprintln(os.Stderr)
	password, err := term.ReadPassword(int(os.Stdin.Fd()))
	return string(password), err
}

// data sends a message from a file. Line ends become CRLF.
func (s *session) data(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return cli.Fail(cli.NoInput, "%w", err)
	}
	defer f.Close()
	if err := s.say("DATA"); err != nil || s.ended || !s.inText {
		return err
	}
	buf := bufio.NewWriterSize(s.peer, 64*1024)
	text := smtp.NewDotWriter(buf)
	n, err := io.Copy(text, smtp.NewLines(f))
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return s.broken(err)
	}
	s.note("sent %d octets of %s", n, path)
	return s.endText(func() error { return errors.Join(text.Close(), buf.Flush()) })
}

func (s *session) raw(args string) error {
	b, err := unescape(args)
	if err != nil {
		return cli.Fail(cli.Usage, "%w", err)
	}
	for line := range strings.Lines(string(b)) {
		s.said(s.mask(line))
	}
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
	for range n {
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
