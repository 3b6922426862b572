package transporttest

import (
	"bufio"
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/posthouse/posthouse/internal/transcript"
)

// Peer is a server of SMTP, or of LMTP, on connections in memory. It answers as it
// is told, and remembers what it has taken. It can be used in a synctest bubble.
type Peer struct {
	LMTP   bool
	Offers []string // lines of its reply to EHLO or LHLO

	// Replies are octets by what they answer: a whole line ("RCPT TO:<a@b.test>"),
	// or else its first word; "CONNECT" is the greeting, "." the end of a text, and
	// "LAST" that of the last chunk. What is not here is accepted.
	//
	// Behind a reply that does not end in CRLF, or is Cut, the connection is
	// closed; Hang keeps it open in silence. With LMTP a reply to the text is for
	// each recipient, and "." with an address goes before ".".
	Replies map[string]string
	// Answer goes before Replies, if it is ok. conn counts connections from 1, line
	// is one that came or a word of Replies.
	Answer func(conn int, line string) (reply string, ok bool)

	mu    sync.Mutex
	conns int
	lines []string
	took  []Taken
	saw   []string // texts that came to their end
}

// What a peer can do rather than reply.
const (
	Cut  = ""
	Hang = "hang"
)

// Taken is a message that a peer accepts for a recipient, with a reply that is whole.
type Taken struct {
	To   string // address
	Text string // without the dots that were added
	Conn int    // number of the connection
}

// Dial makes a connection in memory to the peer.
func (p *Peer) Dial(context.Context) (net.Conn, error) {
	a, b := transcript.Pipe(64 << 10)
	go p.Serve(b)
	return a, nil
}

// Serve is the peer's end of a connection, until it is over.
func (p *Peer) Serve(conn net.Conn) {
	p.mu.Lock()
	p.conns++
	s := &session{p: p, n: p.conns, conn: conn, r: bufio.NewReader(conn)}
	p.mu.Unlock()
	s.serve()
}

// Took returns what the peer has taken.
func (p *Peer) Took() []Taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.took)
}

// Saw returns the texts that came to their end, accepted or not.
func (p *Peer) Saw() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.saw)
}

// Lines returns the commands that came, of all connections.
func (p *Peer) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// Conns returns how many connections were made.
func (p *Peer) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}

// usual are the replies of a server that accepts everything.
var usual = map[string]string{
	"CONNECT": "220 mx.test\r\n", "HELO": "250 mx.test\r\n", "MAIL": "250 2.1.0 ok\r\n", "RCPT": "250 2.1.5 ok\r\n",
	"DATA": "354 go on\r\n", ".": "250 2.0.0 queued\r\n", "BDAT": "250 2.0.0 octets\r\n", "LAST": "250 2.0.0 queued\r\n",
	"RSET": "250 2.0.0 ok\r\n", "NOOP": "250 2.0.0 ok\r\n", "QUIT": "221 2.0.0 bye\r\n",
}

func (p *Peer) reply(conn int, line string) string {
	if p.Answer != nil {
		if r, ok := p.Answer(conn, line); ok {
			return r
		}
	}
	word, _, _ := strings.Cut(line, " ")
	for _, key := range []string{line, word} {
		if r, ok := p.Replies[key]; ok {
			return r
		}
	}
	if word == "EHLO" || word == "LHLO" {
		return Lines("250", append([]string{"mx.test"}, p.Offers...)...)
	}
	if r, ok := usual[word]; ok {
		return r
	}
	return "502 5.5.1 what\r\n"
}

// Lines prints a reply of several lines.
func Lines(code string, lines ...string) string {
	var b strings.Builder
	for i, l := range lines {
		mark := "-"
		if i == len(lines)-1 {
			mark = " "
		}
		b.WriteString(code + mark + l + "\r\n")
	}
	return b.String()
}

// session is one connection to a peer.
type session struct {
	p    *Peer
	n    int
	conn net.Conn
	r    *bufio.Reader
	mail bool     // MAIL was accepted
	to   []string // recipients that were
	text strings.Builder
}

func (s *session) serve() {
	defer s.conn.Close()
	if _, ok := s.answer("CONNECT"); !ok {
		return
	}
	for {
		line, ok := s.hear()
		if !ok {
			return
		}
		reply, ok := s.answer(line)
		if !ok {
			return
		}
		if line == "DATA" && strings.HasPrefix(reply, "354") && !(s.readText() && s.answerText(".")) {
			return
		}
	}
}

// hear reads a command, and the chunk behind BDAT, and returns what its reply goes
// by.
func (s *session) hear() (string, bool) {
	line, err := s.r.ReadString('\n')
	if err != nil {
		return "", false
	}
	line = strings.TrimSuffix(line, "\r\n")
	s.p.mu.Lock()
	s.p.lines = append(s.p.lines, line)
	s.p.mu.Unlock()
	n, ok := strings.CutPrefix(line, "BDAT ")
	if !ok {
		return line, true
	}
	size, last, _ := strings.Cut(n, " ")
	octets, _ := strconv.Atoi(size)
	if _, err := io.CopyN(&s.text, s.r, int64(octets)); err != nil {
		return "", false
	}
	if last == "" {
		return "BDAT", true
	}
	return "LAST", true
}

func (s *session) readText() bool {
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return true
		}
		s.text.WriteString(strings.TrimPrefix(line, "."))
	}
}

// answer says the reply to a line. It is not ok if the session is over.
func (s *session) answer(line string) (reply string, ok bool) {
	word, arg, _ := strings.Cut(line, " ")
	if word == "LAST" {
		return "", s.answerText("LAST")
	}
	reply = s.p.reply(s.n, line)
	if word == "RCPT" && !s.mail || word == "DATA" && len(s.to) == 0 {
		reply = "503 5.5.1 not now\r\n"
	}
	good := strings.HasPrefix(reply, "2")
	switch {
	case word == "RCPT" && good:
		to, _, _ := strings.Cut(strings.TrimPrefix(arg, "TO:<"), ">")
		s.to = append(s.to, to)
	case (word == "MAIL" || word == "RSET") && good:
		s.mail, s.to = word == "MAIL", nil
		s.text.Reset()
	}
	return reply, s.say(reply) && word != "QUIT"
}

// answerText says what becomes of a text.
func (s *session) answerText(key string) bool {
	text, to := s.text.String(), s.to
	s.text.Reset()
	s.mail, s.to = false, nil
	s.p.mu.Lock()
	s.p.saw = append(s.p.saw, text)
	s.p.mu.Unlock()
	if !s.p.LMTP {
		return s.verdict(s.p.reply(s.n, key), text, to)
	}
	for _, t := range to {
		reply := s.p.reply(s.n, key+" "+t)
		if !s.verdict(reply, text, []string{t}) {
			return false
		}
	}
	return true
}

// verdict takes the message if the final reply is positive, and says it: in this
// order, so that who has heard it finds the message taken.
func (s *session) verdict(reply, text string, to []string) bool {
	if strings.HasPrefix(reply, "2") && strings.HasSuffix(reply, "\r\n") {
		s.p.mu.Lock()
		for _, t := range to {
			s.p.took = append(s.p.took, Taken{t, text, s.n})
		}
		s.p.mu.Unlock()
	}
	return s.say(reply)
}

func (s *session) say(reply string) bool {
	if reply == Hang {
		_, _ = io.Copy(io.Discard, s.r)
		return false
	}
	if _, err := io.WriteString(s.conn, reply); err != nil {
		return false
	}
	return strings.HasSuffix(reply, "\r\n") && !strings.HasPrefix(reply, "421")
}
