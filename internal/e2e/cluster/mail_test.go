package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// ledger is what was promised, and what has arrived, by the name of each letter.
type ledger struct {
	mu       sync.Mutex
	promised map[string]bool      // answered 250
	unsure   map[string]bool      // no answer to the final dot came, or one that it is to come again
	refused  map[int]int          // by code
	arrived  map[string][]mail.ID // each copy, by the ID under which it was sent
	acked    chan struct{}        // has one for every answer of 250 that somebody waits for
}

func newLedger() *ledger {
	return &ledger{promised: map[string]bool{}, unsure: map[string]bool{}, refused: map[int]int{}, arrived: map[string][]mail.ID{}, acked: make(chan struct{})}
}

func (l *ledger) count() (promised, arrived int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.promised {
		if len(l.arrived[name]) > 0 {
			arrived++
		}
	}
	return len(l.promised), arrived
}

func (l *ledger) refusals(code int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused[code]
}

// host is the next hop of all nodes. While it is slow its answer to the final dot is
// a while coming.
type host struct {
	ledger *ledger
	at     string
	slow   atomic.Int64  // nanoseconds
	busy   atomic.Int64  // messages that come at this time
	most   atomic.Int64  // of them at a time
	inside chan struct{} // has one for each message that is answered slowly
}

func newHost(t *testing.T, l *ledger) *host {
	t.Helper()
	at, err := smtpserver.Listen(t.Context(), "127.0.0.1:0")
	check(t, err)
	h := &host{ledger: l, at: at.Addr().String(), inside: make(chan struct{}, 10_000)}
	server := &smtpserver.Server{Handler: h, Hostname: "next.example", Limits: smtpserver.Limits{PerAddress: -1, Messages: -1}}
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := server.Serve(at); !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-over
	})
	return h
}

func (h *host) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return h, nil
}
func (h *host) Close() {}
func (h *host) Abort() {}
func (h *host) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return h, nil
}

func (h *host) Rcpt(context.Context, smtp.Path, *smtp.RcptParams) (*smtp.Reply, error) {
	return nil, nil
}

var receivedID = regexp.MustCompile(`\bid ([0-9a-z]{20})\b`)

// Data notes a copy once it is whole, whatever becomes of the answer.
func (h *host) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	busy := h.busy.Add(1)
	defer h.busy.Add(-1)
	for most := h.most.Load(); busy > most && !h.most.CompareAndSwap(most, busy); most = h.most.Load() {
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	name, id := "", mail.ID{}
	for s := bufio.NewScanner(strings.NewReader(string(text))); s.Scan() && s.Text() != ""; {
		if subject, is := strings.CutPrefix(s.Text(), "Subject: "); is {
			name = subject
		}
		if m := receivedID.FindStringSubmatch(s.Text()); m != nil && id.IsZero() {
			id, _ = mail.ParseID(m[1]) // a zero one is told of later
		}
	}
	h.ledger.mu.Lock()
	h.ledger.arrived[name] = append(h.ledger.arrived[name], id)
	h.ledger.mu.Unlock()
	if d := time.Duration(h.slow.Load()); d > 0 {
		h.inside <- struct{}{}
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	return nil, nil
}

// load is clients that send to all nodes, and go to another when theirs is away.
type load struct {
	ledger *ledger
	nodes  func() []string // where mail is taken
	stop   chan struct{}
	work   sync.WaitGroup
	next   atomic.Int64
}

// clients have so many connections send until the load is ended.
func clients(t *testing.T, l *ledger, n int, nodes func() []string) *load {
	c := &load{ledger: l, nodes: nodes, stop: make(chan struct{})}
	for i := range n {
		c.work.Go(func() { c.client(t, i) })
	}
	t.Cleanup(c.end)
	return c
}

func (c *load) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.work.Wait()
}

// until waits for so many more answers of 250.
func (c *load) until(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-c.ledger.acked:
		case <-time.After(guard):
			t.Fatal("no mail is taken")
		}
	}
}

func (c *load) ended() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

func (c *load) client(t *testing.T, nth int) {
	d := smtpclient.Dialer{LocalName: "client.test", TLS: smtpclient.TLSNever}
	for try := nth; !c.ended(); try++ {
		all := c.nodes()
		conn, err := d.Dial(t.Context(), "tcp", all[try%len(all)])
		if err != nil {
			c.pause()
			continue
		}
		for range 50 {
			if c.ended() || !c.send(conn, fmt.Sprintf("letter-%d", c.next.Add(1)), 200) {
				break
			}
		}
		_ = conn.Close() // what is under way is known already
	}
}

// pause keeps clients that nobody answers from asking without end.
func (c *load) pause() {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-c.stop:
	}
}

// send sends a letter, and reports whether the connection is good for more.
func (c *load) send(conn *smtpclient.Conn, name string, size int) bool {
	env := smtpclient.Envelope{From: path("ann@example.org"), To: []smtpclient.Recipient{{Path: path("bob@sina.example")}}}
	text := "Subject: " + name + "\r\n\r\n" + strings.Repeat("rain and snow\r\n", size/15)
	r, err := conn.Send(context.Background(), env, smtpclient.Bytes([]byte(text)))
	c.ledger.hear(name, r, err)
	if err != nil {
		return false
	}
	if !r.Accepted() {
		c.pause()
		return true
	}
	select {
	case c.ledger.acked <- struct{}{}:
	default: // nobody counts
	}
	return true
}

// hear notes what was answered.
func (l *ledger) hear(name string, r *smtpclient.Result, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && r.Accepted():
		l.promised[name] = true
	case err != nil: // the line was cut, perhaps behind the final dot
		l.unsure[name] = true
	default:
		for i := range r.Recipients {
			if reply := r.Recipients[i].Reply; reply != nil && !r.Recipients[i].Local {
				l.refused[int(reply.Code)]++
				l.unsure[name] = l.unsure[name] || reply.Code == smtp.CodeLocalError // a commit may be in doubt
			}
		}
	}
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// settle waits until the queue is empty, and holds what has arrived against what
// was promised: everything once, and a second copy only if the journal says that it may be.
func (l *ledger) settle(t *testing.T, database string) {
	t.Helper()
	s, err := pgspool.Open(t.Context(), database+"?sslmode=disable", pgspool.Options{Durability: pgspool.Primary})
	check(t, err)
	defer s.Close()
	pgtest.Wait(t, "all has been sent", func() bool {
		st, err := s.Stats(t.Context())
		return err == nil && st.Messages == 0
	})
	doubted := doubts(t, s)
	l.mu.Lock()
	defer l.mu.Unlock()
	seconds := 0
	for name := range l.promised {
		if len(l.arrived[name]) == 0 {
			t.Errorf("%s was answered 250, and has not arrived", name)
		}
	}
	for name, copies := range l.arrived {
		seconds += len(copies) - 1
		if len(copies) > 1 && !doubted[copies[0]] {
			t.Errorf("%s arrived %d times, and the journal does not say that it may: %v", name, len(copies), copies)
		}
		for _, id := range copies[1:] {
			if id != copies[0] {
				t.Errorf("%s is two messages: %v", name, copies)
			}
		}
		if !l.promised[name] && !l.unsure[name] {
			t.Errorf("%s was refused, and has arrived", name)
		}
	}
	t.Logf("%d letters promised, %d unsure, %d second copies (all in the journal), refusals %v", len(l.promised), len(l.unsure), seconds, l.refused)
}

// doubts are the messages of which the journal says that they may have been sent twice.
func doubts(t *testing.T, s spool.Engine) map[mail.ID]bool {
	t.Helper()
	found := map[mail.ID]bool{}
	for q := (spool.FactQuery{}); ; {
		page, err := s.Facts(t.Context(), q)
		check(t, err)
		for _, f := range page.Facts {
			e, err := event.Parse(f.Data)
			check(t, err)
			if _, is := e.(*event.SecondCopy); is {
				found[f.ID] = true
			}
			q.After = f.Seq
		}
		if !page.More {
			return found
		}
	}
}
