package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// peer is a host that answers as it is told to, and keeps the messages that it gets.
type peer struct {
	addr string

	mu       sync.Mutex
	answers  map[string]string
	heard    []string // commands
	accepted []string // messages that it has answered 250, each with its commands before it
	asked    int      // messages whose final dot it saw
}

// What a peer does in place of an answer, or behind it.
const (
	hangUp = "(hangs up)"
	waits  = "(waits)"
)

// willing are the answers of a peer that takes everything and knows no extension.
var willing = map[string]string{
	"": "220 peer.test\r\n", "EHLO": "250 peer.test\r\n", "HELO": "250 peer.test\r\n", "LHLO": "250 peer.test\r\n",
	"MAIL": "250 ok\r\n", "RCPT": "250 ok\r\n", "DATA": "354 go on\r\n", ".": "250 taken\r\n",
	"RSET": "250 ok\r\n", "NOOP": "250 ok\r\n", "QUIT": "221 bye\r\n" + hangUp,
}

// startPeer runs a peer at an address of its own until the test is over. The answers
// are octets, for "" (the greeting), a verb, or "." (the text).
func startPeer(t *testing.T, answers map[string]string) *peer {
	t.Helper()
	l, err := net.Listen("tcp", host()+":0")
	check(t, err)
	return startPeerAt(t, l, answers)
}

func startPeerAt(t *testing.T, l net.Listener, answers map[string]string) *peer {
	t.Helper()
	p := &peer{addr: l.Addr().String(), answers: answers}
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() {
				defer context.AfterFunc(t.Context(), func() { c.Close() })()
				p.talk(c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		talks.Wait()
		if t.Failed() {
			t.Logf("%s heard %q", p.addr, p.commands())
		}
	})
	return p
}

// talk holds one connection.
func (p *peer) talk(c net.Conn) {
	in := bufio.NewReader(c)
	if p.say(c, "") != nil {
		return
	}
	var envelope strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heard = append(p.heard, strings.TrimRight(line, "\r\n"))
		p.mu.Unlock()
		envelope.WriteString(line)
		verb, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if p.say(c, verb) != nil {
			return
		}
		if verb == "DATA" && strings.HasPrefix(p.answer(verb), "354") && !p.text(c, in, &envelope) {
			return
		}
	}
}

// text reads a text and answers it.
func (p *peer) text(c net.Conn, in *bufio.Reader, envelope *strings.Builder) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		envelope.WriteString(strings.TrimPrefix(line, "."))
	}
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	if strings.HasPrefix(p.answer("."), "2") {
		p.mu.Lock()
		p.accepted = append(p.accepted, envelope.String())
		p.mu.Unlock()
	}
	envelope.Reset()
	return p.say(c, ".") == nil
}

func (p *peer) answer(verb string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.answers[verb]; ok {
		return a
	}
	if a, ok := willing[verb]; ok {
		return a
	}
	return "500 what?\r\n"
}

func (p *peer) say(c net.Conn, verb string) error {
	words := p.answer(verb)
	words, leaves := strings.CutSuffix(words, hangUp)
	words, stays := strings.CutSuffix(words, waits)
	if _, err := io.WriteString(c, words); err != nil {
		return err
	}
	if stays {
		_, _ = io.Copy(io.Discard, c) // until somebody else hangs up
	}
	if leaves || stays {
		return errors.New("the end")
	}
	return nil
}

// commands are what it has heard.
func (p *peer) commands() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

// changes has it answer otherwise from now on.
func (p *peer) changes(to, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = map[string]string{to: answer}
}

// texts counts the texts that have come whole, whatever was said to them.
func (p *peer) texts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// took are the messages that it has accepted.
func (p *peer) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.accepted)
}
