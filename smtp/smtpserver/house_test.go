package smtpserver_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// house is a Handler that writes down all that reaches it and answers as it is
// asked: a name that begins with three digits, such as <450.busy@sina.com>, asks
// for a reply with that code. In a reverse-path "dot." before the digits asks
// for it at the end of the text; in a forward-path, for that recipient then.
type house struct {
	refuse *smtp.Reply // what new connections are told, nil: welcome
	bare   bool        // sessions have no optional interface
	old    bool        // EHLO is not spoken

	mu       sync.Mutex
	left     sync.Cond // a session came to its end
	sessions int
	closed   int
	letters  []*letter
}

// letter is one transaction, from MAIL to its end.
type letter struct {
	house    *house
	conn     *smtpserver.Conn
	protocol string
	from     smtp.Path
	params   smtp.MailParams
	to       []smtp.Path
	ends     []string // "data" or "abort"
	text     []byte
	readErr  error // nil: the text came whole
	taken    bool  // the Handler told the client yes
	late     bool  // used after its end
}

func (h *house) NewSession(_ context.Context, c *smtpserver.Conn) (smtpserver.Session, error) {
	if h.refuse != nil {
		return nil, h.refuse
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions++
	g := &guest{h, c}
	if h.bare {
		return struct{ smtpserver.Session }{g}, nil
	}
	return g, nil
}

// taken returns the letters that were accepted.
func (h *house) taken() (all []*letter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.letters {
		if l.taken {
			all = append(all, l)
		}
	}
	return all
}

// check holds the server to its contract, once it is closed: a Close for each
// session, and one end for each transaction.
func (h *house) check(t interface {
	Helper()
	Errorf(string, ...any)
},
) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed != h.sessions {
		t.Errorf("%d sessions, of which Close was called %d times", h.sessions, h.closed)
	}
	for _, l := range h.letters {
		if len(l.ends) != 1 || l.late {
			t.Errorf("transaction from <%s> ended by %q, used after it: %v", l.from, l.ends, l.late)
		}
		if l.taken && (l.readErr != nil || len(l.to) == 0) {
			t.Errorf("transaction from <%s> to %v was accepted though its text ended in %v", l.from, l.to, l.readErr)
		}
	}
}

// await waits until every session is at its end.
func (h *house) await() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left.L = &h.mu
	for h.closed < h.sessions {
		h.left.Wait()
	}
}

// forget begins a new book, once every session is at its end.
func (h *house) forget() {
	h.await()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions, h.closed, h.letters = 0, 0, nil
}

// asked returns the reply that a name asks for, nil for none.
func asked(name string) *smtp.Reply {
	switch name {
	case "nobody":
		return smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "No such user")
	case "dot.full":
		return smtp.Replyf(452, smtp.EnhancedCode{4, 2, 2}, "Mailbox is full")
	case "dot.strict":
		return smtp.Replyf(550, smtp.EnhancedCode{5, 7, 1}, "Not wanted")
	}
	if len(name) < 3 || len(name) > 3 && name[3] != '.' {
		return nil
	}
	code, err := strconv.Atoi(name[:3])
	if err != nil {
		return nil
	}
	text := smtp.Code(code).Meaning()
	return &smtp.Reply{Code: smtp.Code(code), Enhanced: smtp.EnhancedCode{code / 100, 0, 0}, Text: text}
}

// askedError is asked for where only a refusal can be given.
func askedError(name string) error {
	if r := asked(name); r != nil {
		return r
	}
	return nil
}

// guest is one session of a house.
type guest struct {
	house *house
	conn  *smtpserver.Conn
}

func (g *guest) Close() {
	g.house.mu.Lock()
	defer g.house.mu.Unlock()
	g.house.closed++
	g.house.left.Broadcast()
}

func (g *guest) Mail(_ context.Context, from smtp.Path, params *smtp.MailParams) (smtpserver.Transaction, error) {
	if err := askedError(from.Local()); err != nil {
		return nil, err
	}
	switch from.Local() {
	case "error":
		return nil, errors.New("the cellar is flooded")
	case "panic":
		panic("the roof came down")
	}
	l := &letter{house: g.house, conn: g.conn, protocol: g.conn.Protocol(), from: from, params: *params}
	g.house.mu.Lock()
	defer g.house.mu.Unlock()
	g.house.letters = append(g.house.letters, l)
	return l, nil
}

func (l *letter) use() {
	l.house.mu.Lock()
	defer l.house.mu.Unlock()
	l.late = l.late || len(l.ends) > 0
}

func (l *letter) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	l.use()
	r := asked(to.Local())
	if r == nil || r.Code.Positive() {
		l.to = append(l.to, to)
		return r, nil
	}
	return nil, r
}

func (l *letter) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	if err := l.read(body); err != nil {
		return nil, err
	}
	how, dot := strings.CutPrefix(l.from.Local(), "dot.")
	if r := asked(how); r != nil && dot {
		l.taken = r.Code.Positive()
		return r, nil
	}
	l.taken = true
	return nil, nil
}

func (l *letter) DataEach(_ context.Context, body io.Reader) ([]*smtp.Reply, error) {
	if err := l.read(body); err != nil {
		return nil, err
	}
	replies := make([]*smtp.Reply, len(l.to))
	for i, to := range l.to {
		replies[i] = asked("dot." + to.Local())
		if at, ok := strings.CutPrefix(to.Local(), "dot."); ok {
			replies[i] = asked(at)
		}
		l.taken = l.taken || replies[i] == nil || replies[i].Code.Positive()
	}
	return replies, nil
}

// read takes the text, by Read or by WriteTo.
func (l *letter) read(body io.Reader) error {
	l.use()
	l.end("data")
	if l.from.Local() == "early" {
		return errors.New("did not like the first word")
	}
	if l.from.Local() == "panic.dot" {
		panic("the roof came down")
	}
	var text bytes.Buffer
	if l.from.Local() == "byread" {
		_, l.readErr = io.CopyBuffer(struct{ io.Writer }{&text}, struct{ io.Reader }{body}, make([]byte, 7))
	} else {
		_, l.readErr = io.Copy(&text, body)
	}
	l.text = text.Bytes()
	return l.readErr
}

func (l *letter) Abort() { l.use(); l.end("abort") }

func (l *letter) end(how string) {
	l.house.mu.Lock()
	defer l.house.mu.Unlock()
	l.ends = append(l.ends, how)
}

func (g *guest) Hello(_ context.Context, hello smtp.Hello) error {
	if g.house.old && hello.With == smtp.VerbEHLO {
		return smtp.Replyf(500, smtp.EnhancedCode{5, 5, 1}, "Not yet invented")
	}
	return askedError(hello.Domain)
}

func (g *guest) Verify(_ context.Context, user string) (*smtp.Reply, error) {
	switch {
	case user == "王小波":
		return smtp.Replyf(250, smtp.EnhancedCode{2, 1, 5}, "王小波 <xiaobo@sina.com>"), nil
	case strings.HasPrefix(user, "echo "):
		return &smtp.Reply{Code: 250, Text: user}, nil
	}
	return asked(user), nil
}

func (g *guest) Expand(_ context.Context, list string) (*smtp.Reply, error) {
	if list == "staff" {
		return &smtp.Reply{Code: 250, Enhanced: smtp.EnhancedCode{2, 1, 5}, Text: "<alice@sina.com>\n<bob@sina.com>"}, nil
	}
	return asked(list), nil
}

func (g *guest) Help(_ context.Context, topic string) (*smtp.Reply, error) { return asked(topic), nil }

func (g *guest) Turn(_ context.Context, node string) (*smtp.Reply, error) { return asked(node), nil }

func (g *guest) XClient(_ context.Context, attrs []smtp.XClientAttr) error {
	for _, a := range attrs {
		if a.Name == "NAME" {
			return askedError(a.Value)
		}
	}
	return nil
}

func (g *guest) Command(_ context.Context, name, args string) (*smtp.Reply, error) {
	if name == "XWHERE" {
		text := cmp.Or(g.conn.RemoteAddr().String(), "nowhere") + " " + g.conn.Protocol() + " " + g.conn.Hello()
		return &smtp.Reply{Code: 250, Text: text}, nil
	}
	if name == "XECHO" {
		return &smtp.Reply{Code: 250, Text: args}, nil
	}
	if name == "XREPLY" {
		return asked(args), nil
	}
	return nil, nil
}

func (g *guest) Mechanisms() []string { return []string{"PLAIN", "LOGIN", "X-ROUNDS", "X-FINAL"} }

func (g *guest) Authenticate(_ context.Context, mechanism string) (smtpserver.SASL, error) {
	switch mechanism {
	case "PLAIN":
		return &plain{}, nil
	case "LOGIN":
		return &login{}, nil
	}
	return &rounds{final: mechanism == "X-FINAL"}, nil
}

// plain is SASL PLAIN (RFC 4616): bob may come in with "secret"; a user named
// like a code is told that code.
type plain struct{}

func (*plain) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return nil, false, nil
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 {
		return nil, false, errors.New("not three parts")
	}
	return nil, true, letIn(parts[1], parts[2])
}

func letIn(user, password string) error {
	if err := askedError(user); err != nil {
		return err
	}
	if user != "bob" || password != "secret" {
		return errors.New("wrong password " + password + " of " + user)
	}
	return nil
}

type login struct{ said []string }

func (l *login) Next(response []byte) ([]byte, bool, error) {
	if response != nil {
		l.said = append(l.said, string(response))
	}
	switch len(l.said) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, letIn(l.said[0], l.said[1])
}

// rounds asks for ever, or, with final, ends with a challenge.
type rounds struct{ final bool }

func (r *rounds) Next([]byte) ([]byte, bool, error) { return []byte("more"), r.final, nil }

var (
	_ smtpserver.EachTransaction = (*letter)(nil)
	_ smtpserver.Authenticator   = (*guest)(nil)
	_ smtpserver.Verifier        = (*guest)(nil)
	_ smtpserver.Expander        = (*guest)(nil)
	_ smtpserver.Helper          = (*guest)(nil)
	_ smtpserver.Turner          = (*guest)(nil)
	_ smtpserver.XClientHandler  = (*guest)(nil)
	_ smtpserver.HelloHandler    = (*guest)(nil)
	_ smtpserver.Commander       = (*guest)(nil)
)

// TestAsked: the tests believe what the house is asked for.
func TestAsked(t *testing.T) {
	if r := asked("450.busy"); r == nil || r.Code != 450 || asked("4500") != nil || asked("alice") != nil {
		t.Error("house does not answer as it is asked")
	}
}
