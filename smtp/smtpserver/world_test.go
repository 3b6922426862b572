package smtpserver_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// world is a server and a network in memory.
type world struct {
	t      testing.TB
	house  *house
	server *smtpserver.Server
	street *street
	served chan error
}

// inWorld runs f beside a server, in a bubble where time passes when all wait.
// Afterwards the server is closed, nothing of it is left, and it has kept its
// contract with its Handler.
func inWorld(t *testing.T, s *smtpserver.Server, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, s)
		defer time.Sleep(time.Minute) // for clients that find out that nobody listens
		defer w.close()
		f(w)
	})
}

func open(t testing.TB, s *smtpserver.Server) *world {
	if s.Handler == nil {
		s.Handler = &house{}
	}
	if s.Hostname == "" {
		s.Hostname = "sina.com"
	}
	w := &world{t: t, server: s, street: newStreet(), served: make(chan error, 1)}
	w.house, _ = s.Handler.(*house)
	s.Trace = watch(t, s.Trace)
	go func() { w.served <- s.Serve(w.street) }()
	return w
}

func (w *world) close() {
	_ = w.server.Close()
	if err := <-w.served; !errors.Is(err, smtpserver.ErrServerClosed) {
		w.t.Errorf("Serve returned %v", err)
	}
	if w.house != nil {
		w.house.check(w.t)
	}
}

// street is a listener whose connections are in memory.
type street struct {
	doors  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newStreet() *street { return &street{doors: make(chan net.Conn), closed: make(chan struct{})} }

func (s *street) Accept() (net.Conn, error) {
	select {
	case c := <-s.doors:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *street) Close() error { s.once.Do(func() { close(s.closed) }); return nil }
func (s *street) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.25:25"))
}

// from is a connection whose other end has an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

const stranger = "198.51.100.7:40000"

// dial connects a client with the given address.
func (w *world) dial(addr string) net.Conn {
	ours, theirs := transcript.Pipe(64 << 10)
	select {
	case w.street.doors <- from{theirs, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}:
	case <-w.street.closed:
		w.t.Fatal("server does not listen any more")
	}
	_ = ours.SetDeadline(time.Now().Add(100 * time.Hour))
	return ours
}

// caller is a client that a test leads by the hand.
type caller struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// call connects and reads the greeting.
func (w *world) call() *caller {
	w.t.Helper()
	c := newCaller(w.t, w.dial(stranger))
	c.hear(220)
	return c
}

func newCaller(t testing.TB, conn net.Conn) *caller { return &caller{t, conn, bufio.NewReader(conn)} }

// say sends lines and adds CRLF to each.
func (c *caller) say(lines ...string) {
	c.t.Helper()
	c.send(strings.Join(lines, "\r\n") + "\r\n")
}

// send sends octets.
func (c *caller) send(octets string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, octets); err != nil {
		c.t.Errorf("send %.40q: %v", octets, err)
	}
}

// hear reads a reply for each code and returns the text of the last.
func (c *caller) hear(codes ...int) string {
	c.t.Helper()
	text := ""
	for _, want := range codes {
		got, lines, err := c.reply()
		if text = lines; err != nil || got != want {
			c.t.Fatalf("reply %d %q %v, want %d", got, lines, err, want)
		}
	}
	return text
}

// reply reads a reply, and holds it to the syntax of RFC 5321, 4.2.
func (c *caller) reply() (code int, text string, err error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return 0, line, err
		}
		n, more, rest := replyLine(c.t, strings.TrimSuffix(line, "\r\n"))
		if code != 0 && n != code {
			c.t.Errorf("reply changes its code to %q", line)
		}
		code, text = n, text+rest+"\n"
		if !more {
			return code, strings.TrimSuffix(text, "\n"), nil
		}
	}
}

// ended wants the connection to be closed, with nothing more said.
func (c *caller) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || errIsTimeout(err) {
		c.t.Errorf("want the end of the connection, got %.100q %v", rest, err)
	}
	_ = c.conn.Close()
}

func errIsTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// ask says a line and hears the reply.
func (c *caller) ask(line string, code int) string {
	c.t.Helper()
	c.say(line)
	return c.hear(code)
}

// begin goes as far as the first recipient.
func (c *caller) begin() {
	c.t.Helper()
	c.say("EHLO sohu.com", "MAIL FROM:<bob@sohu.com>", "RCPT TO:<alice@sina.com>")
	c.hear(250, 250, 250)
}

func (c *caller) startTLS() {
	c.t.Helper()
	c.ask("STARTTLS", 220)
	c.secure("smtp", "lmtp")
}

func (c *caller) secure(protocols ...string) {
	c.t.Helper()
	secured := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	if err := secured.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = secured, bufio.NewReader(secured)
}

// replyLine holds a line of a reply to its syntax.
func replyLine(t testing.TB, line string) (code int, more bool, text string) {
	t.Helper()
	if len(line)+2 > 512 || len(line) < 4 || line[3] != ' ' && line[3] != '-' {
		t.Errorf("malformed reply line %.600q", line)
		return 0, false, line
	}
	for _, r := range line {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\uFFFD' {
			t.Errorf("reply line %q holds a control character or what is not UTF-8", line)
		}
	}
	for _, d := range line[:3] {
		code = 10*code + int(d-'0')
	}
	if !smtp.Code(code).Valid() {
		t.Errorf("reply line %q has no code", line)
	}
	return code, line[3] == '-', line[4:]
}

// watch holds every reply of a server to the contract table: its code must be
// one that may answer the verb.
func watch(t testing.TB, also func(*smtpserver.Conn) *smtpserver.Trace) func(*smtpserver.Conn) *smtpserver.Trace {
	return func(c *smtpserver.Conn) *smtpserver.Trace {
		var next smtpserver.Trace
		if also != nil {
			next = *also(c)
		}
		trace, verb := next, smtp.Greeting
		trace.In = func(at time.Time, line []byte) {
			word, _, _ := strings.Cut(string(line), " ")
			if word != "***" {
				verb = smtp.ParseVerb(word, true)
			}
			if next.In != nil {
				next.In(at, line)
			}
		}
		trace.Out = func(at time.Time, line []byte) {
			code, more, _ := replyLine(t, string(line))
			if !verb.Permits(smtp.Code(code)) {
				t.Errorf("%q answers %s", line, verb)
			}
			spoken.note(verb, smtp.Code(code))
			if verb == smtp.VerbDATA && code == 354 && !more {
				verb = smtp.Dot
			}
			if next.Out != nil {
				next.Out(at, line)
			}
		}
		return &trace
	}
}

// spoken is which code answered which verb, in the tests of this run.
var spoken = &phrasebook{said: map[phrase]bool{}}

type phrasebook struct {
	mu   sync.Mutex
	said map[phrase]bool
}

type phrase struct {
	verb smtp.Verb
	code smtp.Code
}

func (p *phrasebook) note(v smtp.Verb, c smtp.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said[phrase{v, c}] = true
}

// certificate is one that a bubble, where the year is 2000, accepts too.
var certificate = sync.OnceValue(func() tls.Certificate {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sina.com"}, DNSNames: []string{"sina.com"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
})

func withCertificate() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate()}}
}
