package talk

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/posthouse/posthouse/internal/cli"
)

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
	return s.readPassword(int(os.Stdin.Fd()))
}

// readPassword reads a line that the terminal does not show. Whoever interrupts
// that leaves the reading behind, which nothing can end, but gets a terminal
// that shows what is typed.
func (s *session) readPassword(terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type answer struct {
		password []byte
		err      error
	}
	typed := make(chan answer, 1)
	go func() {
		password, err := term.ReadPassword(terminal)
		typed <- answer{password, err}
	}()
	select {
	case a := <-typed:
		return string(a.password), a.err
	case <-s.done:
		return "", errors.Join(errInterrupted, term.Restore(terminal, before))
	}
}
