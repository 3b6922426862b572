package smtpserver_test

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
	"pgregory.net/rapid"
)

// model is a session as RFC 5321 has it, in as few words as possible. It knows
// nothing of the packages that are tested.
type model struct {
	hello, tls, auth, done bool
	draft                  *draft
	errors                 int
	taken                  []string // texts that were accepted, with their recipients
}

type draft struct {
	from   string
	tried  bool
	to     int
	chunks bool
	text   string
}

const (
	modelErrors = 7
	modelSize   = 60
)

// hear returns the codes with which the server answers a line; text is what
// comes with it.
func (m *model) hear(line, text string) []int {
	code := m.answer(line, text)
	switch {
	case code == 221 || code == 421:
		m.done = true
	case code >= 500:
		if m.errors++; m.errors == modelErrors || strings.HasPrefix(line, "BDAT x") {
			m.done = true
			return []int{code, 421}
		}
	}
	return []int{code}
}

func (m *model) answer(line, text string) int {
	d := m.draft
	verb, rest, _ := strings.Cut(line, " ")
	if strings.ContainsAny(line, "\n\x00") {
		return 500
	}
	switch verb {
	case "NOOP":
		return 250
	case "VRFY":
		return 252
	case "HELP":
		return 214
	case "QUIT":
		return 221
	case "RSET", "REST":
		m.draft = nil
		return 250
	case "HELO", "HELLO", "EHLO":
		if rest == "" {
			return 501
		}
		m.hello, m.draft = true, nil
		return 250
	case "MAIL":
		return m.mail(rest)
	case "RCPT":
		return m.rcpt(rest)
	case "DATA":
		if d != nil && (d.chunks || strings.HasPrefix(d.from, "binary")) {
			return 503
		}
		return cmp.Or(m.ready(), 354)
	case "BDAT":
		if rest == "x" {
			return 501
		}
		if code := m.ready(); code != 0 {
			return code
		}
		d.chunks = true
		d.text += text
		if code := m.verdict(strings.HasSuffix(rest, "LAST")); code != 0 {
			return code
		}
		return 250
	case "STARTTLS", "AUTH", "ETRN":
		return m.between(verb, rest)
	}
	return 500
}

func (m *model) mail(rest string) int {
	switch {
	case rest == "FROM:<bad":
		return 501
	case strings.Contains(rest, "FOO"):
		return 555
	case !m.hello || m.draft != nil:
		return 503
	case strings.Contains(rest, "SIZE=99"):
		return 552
	case strings.Contains(rest, "550."):
		return 550
	}
	m.draft = &draft{from: strings.TrimPrefix(rest, "FROM:<")}
	return 250
}

func (m *model) rcpt(rest string) int {
	if m.draft != nil {
		m.draft.tried = true
	}
	switch {
	case rest == "TO:<>":
		return 501
	case m.draft == nil || m.draft.chunks:
		return 503
	case strings.Contains(rest, "450."):
		return 450
	}
	m.draft.to++
	return 250
}

// ready says why no text may come, 0 for nothing.
func (m *model) ready() int {
	switch {
	case m.draft == nil || m.draft.to == 0 && !m.draft.tried:
		return 503
	case m.draft.to == 0:
		return 554
	}
	return 0
}

// verdict ends the transaction if its text is at its end, or at fault.
func (m *model) verdict(last bool) int {
	d, code := m.draft, 0
	early, binary := strings.HasPrefix(d.from, "early"), strings.HasPrefix(d.from, "binary")
	switch {
	case len(d.text) > modelSize:
		code = 552
	case early && d.chunks:
		code = 451 // nobody looked at the text
	case !binary && bare(d.text, last):
		code = 554
	case early:
		code = 451
	case last && strings.HasPrefix(d.from, "dot.452"):
		code = 452
	case last:
		code = 250
		m.errors = 0
		m.taken = append(m.taken, fmt.Sprintf("%d %q", d.to, d.text))
	}
	if code != 0 {
		m.draft = nil
	}
	return code
}

// bare reports a CR or LF that stands alone; at the end of what is not the last
// a CR may still get its LF.
func bare(text string, last bool) bool {
	if !last {
		text = strings.TrimSuffix(text, "\r")
	}
	return strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\n")
}

// between are the commands that have no place in a transaction.
func (m *model) between(verb, rest string) int {
	switch {
	case verb == "STARTTLS" && m.tls:
		return 502
	case !m.hello || m.draft != nil || m.auth && verb != "ETRN":
		return 503
	case verb == "STARTTLS" && rest == "+": // something comes along
		return 421
	case verb == "STARTTLS":
		m.hello, m.tls = false, true
		return 220
	case verb == "ETRN":
		return 250
	case strings.HasPrefix(rest, "X-ROUNDS"):
		return 334
	case !m.tls:
		return 538
	case strings.HasSuffix(rest, "wrong"):
		return 535
	}
	m.auth = true
	return 235
}

// sensible are the lines that lead on from here.
func (m *model) sensible() []string {
	switch {
	case !m.hello:
		return []string{"EHLO a.example"}
	case m.draft == nil:
		return []string{"MAIL FROM:<a@a.example>", "MAIL FROM:<byread@a.example>", "MAIL FROM:<binary@a.example> BODY=BINARYMIME", "STARTTLS", "AUTH PLAIN right"}
	case m.draft.to == 0:
		return []string{"RCPT TO:<b@b.example>"}
	}
	return []string{"DATA", "BDAT", "BDAT LAST", "RCPT TO:<b@b.example>"}
}

// What clients say.
var (
	modelLines = []string{
		"EHLO a.example", "HELO a.example", "HELLO a.example", "EHLO", "LHLO a.example",
		"MAIL FROM:<a@a.example>", "MAIL FROM:<byread@a.example>", "MAIL FROM:<> SIZE=10", "MAIL FROM:<bad",
		"MAIL FROM:<a@a.example> FOO", "MAIL FROM:<a@a.example> SIZE=99", "MAIL FROM:<550.no@a.example>",
		"MAIL FROM:<dot.452.full@a.example>", "MAIL FROM:<early@a.example>", "MAIL FROM:<binary@a.example> BODY=BINARYMIME",
		"RCPT TO:<b@b.example>", "RCPT TO:<450.busy@b.example>", "RCPT TO:<>",
		"DATA", "BDAT", "BDAT LAST", "BDAT x",
		"RSET", "REST", "NOOP", "VRFY b", "HELP", "QUIT", "XYZZY", "NOOP\nQUIT", "NOOP \x00",
		"STARTTLS", "STARTTLS +", "AUTH PLAIN right", "AUTH PLAIN wrong", "AUTH X-ROUNDS", "ETRN b.example", "drop",
	}
	modelTexts = []string{
		"", "\r\n", ".\r\n", "..\r\n.\r\n", "Subject: x\r\n\r\nhello\r\n.bye\r\n", "\x00\xff\r\n",
		"a\nb\r\n", "a\rb\r\n", "\n.\r\n", "\r.\r\n", "\n.\nQUIT\r\n", "a\r\n.\rQUIT\r\n", strings.Repeat("long ", 20) + "\r\n",
	}
	modelChunks = append([]string{"x", "y\r", "\nz", "QUIT\r\n", "\r\n.\r\n"}, modelTexts...)
)

// TestModel holds the server to the model: the same codes for every sequence
// of commands, alone or pipelined, and the same messages accepted, whole.
func TestModel(t *testing.T) {
	checks(t, 3000, 100_000)
	h := &house{}
	s := &smtpserver.Server{Handler: h, TLS: withCertificate(), Offer: smtp.SetOf(smtp.ExtBinaryMIME)}
	s.Limits = smtpserver.Limits{Errors: modelErrors, MessageSize: modelSize, Discard: 1 << 20}
	w := open(t, s)
	defer w.close()
	tried, accepted, secured := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		tried++
		m := &model{}
		p := &player{rt: rt, m: m, caller: w.call()}
		_ = p.caller.conn.SetDeadline(time.Now().Add(20 * time.Second))
		defer func() { // also where the model and the server do not agree
			_ = p.caller.conn.Close()
			h.forget()
		}()
		for range rapid.IntRange(1, 30).Draw(rt, "flights") {
			if p.flight(); m.done {
				break
			}
		}
		p.leave()
		h.await()
		h.check(rt)
		var got []string
		for _, l := range h.taken() {
			got = append(got, fmt.Sprintf("%d %q", len(l.to), l.text))
		}
		if !slices.Equal(got, m.taken) {
			rt.Fatalf("accepted %v, want %v", got, m.taken)
		}
		accepted += len(got)
		secured += cond(m.tls, 1, 0)
	})
	if accepted < tried/20 || secured < tried/20 {
		t.Errorf("%d messages accepted and %d sessions secured of %d: too little was tried", accepted, secured, tried)
	}
}

// checks sets how many sequences rapid tries, unless a flag does.
func checks(t *testing.T, few, all int) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if given {
		return
	}
	if os.Getenv("POSTHOUSE_TEST_ALL") == "1" {
		few = all
	}
	if err := flag.Set("rapid.checks", fmt.Sprint(few)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", "100") })
}

// player says to the server what is drawn, and compares what it hears with the
// model.
type player struct {
	rt     *rapid.T
	m      *model
	caller *caller
	gone   bool
}

// flight says up to four commands at once.
func (p *player) flight() {
	var want []int
	var out strings.Builder
	last := ""
	for range rapid.IntRange(1, 4).Draw(p.rt, "pipelined") {
		lines := modelLines
		if rapid.IntRange(0, 3).Draw(p.rt, "sensible") > 0 {
			lines = p.m.sensible()
		}
		last = rapid.SampledFrom(lines).Draw(p.rt, "line")
		if last == "drop" {
			break
		}
		said, text := last, ""
		switch verb, rest, _ := strings.Cut(last, " "); {
		case verb == "BDAT" && rest != "x":
			text = rapid.SampledFrom(modelChunks).Draw(p.rt, "chunk")
			said = strings.TrimSpace(fmt.Sprintf("BDAT %d %s", len(text), rest))
		case last == "STARTTLS +":
			said, text = "STARTTLS", "NOOP\r\n"
		case last == "AUTH PLAIN right":
			said = "AUTH PLAIN AGJvYgBzZWNyZXQ="
		case last == "AUTH PLAIN wrong":
			said = "AUTH PLAIN AGJvYgB3cm9uZw=="
		}
		out.WriteString(said + "\r\n" + text)
		if !p.m.done {
			want = append(want, p.m.hear(last, text)...)
			if last == "STARTTLS +" && !p.m.done {
				want = append(want, 250)
			}
		}
		if verb, _, _ := strings.Cut(last, " "); verb == "DATA" || verb == "STARTTLS" || verb == "AUTH" {
			break // the reply has to be waited for
		}
	}
	p.send(out.String())
	for _, code := range want {
		p.expect(code)
	}
	p.goOn(want, last)
}

// goOn does what follows the last command of a flight.
func (p *player) goOn(codes []int, last string) {
	switch code := append([]int{0}, codes...)[len(codes)]; {
	case last == "drop":
		p.gone, p.m.done = true, true
	case p.m.done:
	case code == 354:
		p.data()
	case code == 220:
		p.caller.secure("smtp")
	case code == 334:
		p.send("*\r\n")
		for _, code := range p.m.hear("XYZZY", "") { // as bad as any mistake
			p.expect(cond(code == 500, 501, code))
		}
	}
}

func cond(b bool, yes, no int) int {
	if b {
		return yes
	}
	return no
}

// data sends a text, or drops the connection in the middle of it.
func (p *player) data() {
	text := rapid.SampledFrom(modelTexts).Draw(p.rt, "text")
	wire := strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:] + ".\r\n"
	if n := rapid.IntRange(0, 10*len(wire)).Draw(p.rt, "drop at"); n < len(wire) {
		p.send(wire[:n])
		p.gone, p.m.done = true, true
		return
	}
	p.send(wire)
	p.m.draft.text = text
	code := p.m.verdict(true)
	p.expect(code)
	if code >= 500 {
		if p.m.errors++; p.m.errors == modelErrors {
			p.m.done = true
			p.expect(421)
		}
	}
}

func (p *player) send(octets string) {
	_, _ = p.caller.conn.Write([]byte(octets)) // the server may have closed
}

func (p *player) expect(code int) {
	got, text, err := p.caller.reply()
	if err != nil || got != code {
		p.rt.Fatalf("reply %d %q %v, want %d", got, text, err, code)
	}
}

// leave hangs up, after the server did if it should.
func (p *player) leave() {
	if p.m.done && !p.gone {
		if rest, err := io.ReadAll(p.caller.r); len(rest) > 0 || errIsTimeout(err) {
			p.rt.Fatalf("want the end of the connection, got %q %v", rest, err)
		}
	}
	_ = p.caller.conn.Close()
}
