package milter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
)

// program is one that is asked: it answers each command as its script says. A line of that is a
// command and what is answered, one thing after the other with " | " between; the first line for
// a command is for its first coming, and so on; what has no line is answered with "continue".
//
//	options VERSION DOES SKIPS    in the negotiation; numbers, or "all"
//	macros STAGE NAMES            that it wants to hear, by the stage's number
//	M reply 550 5.7.1 not you
//	E add X-Spam: yes | insert 1 A: b | change 2 Subject: | body "text\n" | accept
//	C refuse                      there is no connection
type program struct {
	t       *testing.T
	options string
	macros  []byte // as it names them
	script  map[string][]string
	refuses int // connections

	mu    sync.Mutex
	heard []*strings.Builder // on each connection
	skips uint32             // as it has said
	calls int
	work  sync.WaitGroup
}

func newProgram(t *testing.T, text string) *program {
	p := &program{t: t, script: map[string][]string{}}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "":
		case word == "options":
			p.options = rest
		case word == "macros":
			stage, names, _ := strings.Cut(rest, " ")
			n, _ := strconv.Atoi(stage)
			p.macros = append(binary.BigEndian.AppendUint32(p.macros, uint32(n)), texts(names)...)
		case rest == "refuse":
			p.refuses++
		default:
			p.script[word] = append(p.script[word], rest)
		}
	}
	return p
}

// dial is a connection to it.
func (p *program) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	p.calls++
	n := p.calls
	p.heard = append(p.heard, new(strings.Builder))
	p.mu.Unlock()
	if n <= p.refuses {
		return nil, errors.New("connection refused")
	}
	a, b := transcript.Pipe(1 << 20)
	p.work.Go(func() {
		defer b.Close()
		p.serve(n, b)
	})
	return a, ctx.Err()
}

// serve answers until the other side has gone.
func (p *program) serve(n int, conn net.Conn) {
	r, w := bufio.NewReader(conn), bufio.NewWriter(conn)
	for {
		c, err := readPacket(r)
		if err != nil {
			return
		}
		p.note(n, c)
		if c.code == cmdQuit {
			return
		}
		if !p.answer(w, c) || w.Flush() != nil {
			return
		}
	}
}

func (p *program) note(n int, c packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.heard[n-1], "%d %s\n", n, strings.TrimRight(shown(c), " "))
}

// shown is what was heard, in one line.
func shown(c packet) string {
	if c.code == cmdBody {
		if len(c.data) > 100 {
			return fmt.Sprintf("B %d octets", len(c.data))
		}
		return fmt.Sprintf("B %q", c.data)
	}
	var words []string
	data := c.data
	switch c.code {
	case cmdNegotiate:
		return fmt.Sprintf("O %d %#x %#x", binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:]))
	case cmdMacros:
		words, data = append(words, string(data[0])), data[1:]
		for len(data) > 0 {
			var name, value string
			name, data = cut(data)
			value, data = cut(data)
			words = append(words, name+"="+value)
		}
	case cmdConnect:
		var host string
		host, data = cut(data)
		words = append(words, host, string(data[0]))
		if data = data[1:]; len(data) > 2 {
			words, data = append(words, strconv.Itoa(int(binary.BigEndian.Uint16(data)))), data[2:]
		}
	}
	for len(data) > 0 {
		var s string
		s, data = cut(data)
		if c.code == cmdField {
			s = strconv.Quote(s)
		}
		words = append(words, s)
	}
	return string(c.code) + " " + strings.Join(words, " ")
}

// answer says what the script says; it reports whether it goes on.
func (p *program) answer(w *bufio.Writer, c packet) bool {
	switch c.code {
	case cmdNegotiate:
		return p.negotiate(w)
	case cmdMacros, cmdAbort, cmdNextClient:
		return true
	}
	p.mu.Lock()
	said := "continue"
	for _, silent := range []command{sayConnect, sayHello, sayMail, sayRcpt, sayData, sayField, sayEndFields, sayBody} {
		if silent.code == c.code && p.skips&silent.silent != 0 {
			said = "none"
		}
	}
	if lines := p.script[string(c.code)]; len(lines) > 0 {
		said, p.script[string(c.code)] = lines[0], lines[1:]
	}
	p.mu.Unlock()
	for one := range strings.SplitSeq(said, " | ") {
		if !p.say(w, one) {
			return false
		}
	}
	return true
}

func (p *program) negotiate(w *bufio.Writer) bool {
	version, does, skips := uint64(versionWeSpeak), uint64(mayDoAll), uint64(knowsSkip)
	words := strings.Fields(p.options)
	for i, to := range []*uint64{&version, &does, &skips} {
		if i >= len(words) || words[i] == "all" {
			continue
		}
		n, err := strconv.ParseUint(words[i], 0, 32)
		if err != nil {
			return p.say(w, words[i]) // "hangup"
		}
		*to = n
	}
	p.mu.Lock()
	p.skips = uint32(skips)
	p.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(version))
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(does)), uint32(skips))
	return writePacket(w, cmdNegotiate, b, p.macros) == nil
}

// simple are the answers without anything behind them.
var simple = map[string]byte{
	"continue": saysContinue, "accept": saysAccept, "discard": saysDiscard, "reject": saysReject,
	"tempfail": saysTempfail, "skip": saysSkip, "progress": saysProgress, "shutdown": saysShutdown, "nonsense": '?',
}

func (p *program) say(w *bufio.Writer, said string) bool {
	word, rest, _ := strings.Cut(said, " ")
	if code, ok := simple[word]; ok {
		return writePacket(w, code) == nil
	}
	switch word {
	case "none":
	case "hangup":
		return false
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			panic(err)
		}
		_ = w.Flush()
		time.Sleep(d)
	case "reply":
		_ = writePacket(w, saysReply, texts(unquoted(rest)))
	case "add":
		_ = writePacket(w, addsField, field(rest))
	case "insert", "change":
		number, rest, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(number)
		_ = writePacket(w, map[string]byte{"insert": insertsField, "change": changesField}[word], binary.BigEndian.AppendUint32(nil, uint32(n)), field(rest))
	case "body":
		_ = writePacket(w, replacesBody, []byte(unquoted(rest)))
	case "bodies":
		number, rest, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(number)
		for range n {
			_ = writePacket(w, replacesBody, []byte(unquoted(rest)))
		}
	case "sender":
		_ = writePacket(w, changesSender, texts(strings.Fields(rest)...))
	case "rcpt":
		_ = writePacket(w, addsRcpt, texts(rest))
	case "rcptwith":
		_ = writePacket(w, addsRcptWith, texts(strings.Fields(rest)...))
	case "unrcpt":
		_ = writePacket(w, removesRcpt, texts(rest))
	case "quarantine":
		_ = writePacket(w, wantsItAsJunk, texts(rest))
	case "raw":
		_, _ = w.WriteString(unquoted(rest))
	default:
		panic("the script says " + said)
	}
	return true
}

func field(s string) []byte {
	name, value, _ := strings.Cut(s, ":")
	return texts(name, unquoted(strings.TrimPrefix(value, " ")))
}

func unquoted(s string) string {
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}
