// Package transcript plays dialogues of SMTP that are written down as text, on
// either side of a connection. One file, played as the server against our
// client and as the client against our server, shows both.
//
// A file is lines:
//
//	# a comment; so is an empty line
//	S: 220 sina.com      the server says a line, CRLF is added
//	S= 220 sina.com      the same, and whoever plays the client compares the text too
//	S~ 250-SIZE          lines of one reply; the client compares its code alone, however many lines come
//	C: HELO sohu.com     the client says a line, CRLF is added
//	C> "a\r\n.\r"        the client sends these octets, a Go string; nothing is added (also S>)
//	S! close             the server closes the connection (also C!)
//	TLS                  both sides go over to TLS
//
// The server's side expects what the client says octet by octet. The client's
// side expects the codes and which lines are the last of a reply, and of the
// text only what is marked with '='.
//
// Lines of the client that follow each other are sent in one write.
package transcript

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Script is a dialogue that can be played.
type Script struct {
	name  string
	steps []step
}

// step is one line of a script.
type step struct {
	line int  // of the file
	who  byte // 'S', 'C', or 0 for TLS
	mark byte // ':', '=', '~', '>' or '!'
	text string
}

// ReadFile reads a script from a file.
func ReadFile(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Base(path), string(text))
}

// Parse reads a script. The name is for errors.
func Parse(name, text string) (*Script, error) {
	s := &Script{name: name}
	line := 0
	for l := range strings.SplitSeq(text, "\n") {
		line++
		l = strings.TrimSuffix(l, "\r")
		if strings.TrimSpace(l) == "" || l[0] == '#' {
			continue
		}
		st, err := parseStep(l)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		st.line = line
		s.steps = append(s.steps, st)
	}
	return s, nil
}

func parseStep(l string) (step, error) {
	if l == "TLS" {
		return step{}, nil
	}
	if len(l) < 2 || l[0] != 'S' && l[0] != 'C' {
		return step{}, fmt.Errorf("%q begins with neither S nor C", l)
	}
	st := step{who: l[0], mark: l[1], text: strings.TrimPrefix(l[2:], " ")}
	switch st.mark {
	case ':':
		return st, nil
	case '=', '~':
		if st.who == 'S' {
			return st, nil
		}
	case '>':
		var err error
		st.text, err = strconv.Unquote(st.text)
		return st, err
	case '!':
		if st.text == "close" {
			return st, nil
		}
	}
	return step{}, fmt.Errorf("%q is no step", l)
}

// octets returns what goes over the wire for the step.
func (st step) octets() string {
	switch {
	case st.who == 0 || st.mark == '!':
		return ""
	case st.mark == '>':
		return st.text
	}
	return st.text + "\r\n"
}

// Serve plays the server on a connection and closes it at the end. The error
// says at which line of the script the client said something else. The caller
// sets the deadline. For a script with TLS, config has a certificate.
func (s *Script) Serve(conn net.Conn, config *tls.Config) error {
	return s.play(conn, 'S', func(c net.Conn) *tls.Conn { return tls.Server(c, config) })
}

// Ask plays the client on a connection and closes it at the end. The error
// says at which line of the script the server said something else.
func (s *Script) Ask(conn net.Conn, config *tls.Config) error {
	return s.play(conn, 'C', func(c net.Conn) *tls.Conn { return tls.Client(c, config) })
}

// player is one side of a script that is being played.
type player struct {
	me    byte
	conn  net.Conn
	r     *bufio.Reader
	steps []step // still to come
}

func (s *Script) play(conn net.Conn, me byte, secure func(net.Conn) *tls.Conn) (err error) {
	p := &player{me, conn, bufio.NewReader(conn), s.steps}
	defer func() { err = errors.Join(err, ignoreClosed(p.conn.Close())) }()
	for len(p.steps) > 0 {
		now := p.steps[0]
		switch {
		case now.who == 0:
			err = p.startTLS(secure)
		case now.mark == '!' && now.who == me:
			return nil
		case now.mark == '!':
			err = p.expectClosed()
		case now.who == me:
			err = p.say()
		case me == 'S' || now.mark == '>':
			err = p.expectOctets()
		default:
			err = p.expectReplyLine()
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, now.line, err)
		}
	}
	return nil
}

// ignoreClosed drops what closing says when the other side was first: TLS then
// has nobody to say farewell to.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func (p *player) startTLS(secure func(net.Conn) *tls.Conn) error {
	p.steps = p.steps[1:]
	if n := p.r.Buffered(); n > 0 {
		return fmt.Errorf("%d octets came before TLS", n)
	}
	t := secure(p.conn)
	p.conn, p.r = t, bufio.NewReader(t)
	return t.Handshake()
}

// say sends all that this side has to say now.
func (p *player) say() error {
	var out bytes.Buffer
	for len(p.steps) > 0 && p.steps[0].who == p.me && p.steps[0].mark != '!' {
		out.WriteString(p.steps[0].octets())
		p.steps = p.steps[1:]
	}
	_, err := p.conn.Write(out.Bytes())
	return err
}

func (p *player) expectClosed() error {
	p.steps = p.steps[1:]
	b, err := p.r.ReadByte()
	if err == nil {
		line, _ := p.r.ReadString('\n')
		return fmt.Errorf("want the connection closed, got %q", string(b)+line)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("want the connection closed: %w", err)
	}
	return nil
}

// expectOctets reads as many octets as the step has, or up to the end of the
// line that is not as expected.
func (p *player) expectOctets() error {
	want := p.steps[0].octets()
	p.steps = p.steps[1:]
	for i := range len(want) {
		b, err := p.r.ReadByte()
		if err != nil {
			return fmt.Errorf("want %q, got %q and then %w", want, want[:i], err)
		}
		if b != want[i] {
			got := want[:i] + string(b)
			if b != '\n' {
				rest, _ := p.r.ReadSlice('\n')
				got += string(rest)
			}
			return fmt.Errorf("want %q, got %q", want, got)
		}
	}
	return nil
}

func (p *player) expectReplyLine() error {
	want := p.steps[0]
	p.steps = p.steps[1:]
	if want.mark == '~' {
		for len(p.steps) > 0 && p.steps[0].mark == '~' && !lastOfReply(want.text) {
			want, p.steps = p.steps[0], p.steps[1:]
		}
		return p.expectReply(want.text)
	}
	got, err := p.readLine()
	if err != nil {
		return fmt.Errorf("want %q, got %w", want.text, err)
	}
	if want.mark == '=' && got != want.text || codeAndMark(got) != codeAndMark(want.text) {
		return fmt.Errorf("want %q, got %q", want.text, got)
	}
	return nil
}

// expectReply reads a whole reply and compares its code.
func (p *player) expectReply(want string) error {
	for {
		got, err := p.readLine()
		if err != nil {
			return fmt.Errorf("want %q, got %w", want, err)
		}
		if codeAndMark(got)[:3] != codeAndMark(want)[:3] {
			return fmt.Errorf("want %q, got %q", want, got)
		}
		if lastOfReply(got) {
			return nil
		}
	}
}

func (p *player) readLine() (string, error) {
	line, err := p.r.ReadString('\n')
	if err == io.EOF && line != "" {
		err = fmt.Errorf("%q and then %w", line, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("%q, which does not end in CRLF", line)
	}
	return text, nil
}

// codeAndMark returns the code of a reply line and whether more lines follow:
// "250-" or "250 ".
func codeAndMark(line string) string {
	return (line + "    ")[:4]
}

func lastOfReply(line string) bool { return codeAndMark(line)[3] != '-' }

// UsesTLS reports whether playing the script needs TLS configurations.
func (s *Script) UsesTLS() bool {
	for _, st := range s.steps {
		if st.who == 0 {
			return true
		}
	}
	return false
}
