// Package admintest is a small house for tests of what sees and steers it: both
// desks over a spool in memory, roads that do as the names of the domains say, and
// the control socket. A script of commands and of what they print is played
// against it.
package admintest

import (
	"context"
	"encoding/binary"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/directory/filedir"
	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/find"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/meter"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/session"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// House is a house with its socket.
type House struct {
	T        *testing.T
	Spool    *memspool.Spool
	Dispatch *dispatch.Desk
	Intake   *intake.Desk
	Socket   string
	Sessions *session.Registry
	Meter    *meter.Meter
	End      func() // ends the control socket; the end of the test does it, too
	API      *admin.API
	// Reload is what a reload answers; nil: it succeeds.
	Reload func(context.Context) error
	// Certificates are those that clients may be shown.
	Certificates []admin.Certificate
	// Holding: the configuration keeps all mail from being sent.
	Holding bool

	node string // among those that share its spool; "": nobody does
	now  time.Time
	ids  []mail.ID // of messages, as they became known
	sent []mail.ID // of those that Send took in

	mu    sync.Mutex
	heard map[mail.ID]int // entries, by message
}

// Waiting is a recipient of a message that is in the spool when the house opens.
type Waiting struct {
	To       string
	Original string        // "": To
	Due      time.Duration // from now on
	Tried    int
	Reply    *smtp.Reply
	Host     string
	Held     string // by whom; "": it is deferred
}

// Letter is a message that is in the spool when the house opens.
type Letter struct {
	From, Subject string
	Age           time.Duration
	Size          int
	Login         string
	To            []Waiting
}

// Open opens a house with letters in its spool, and closes it at the end of the
// test. The environment variable of the control socket names it to commands.
func Open(t *testing.T, letters ...Letter) *House {
	t.Helper()
	return open(t, "", letters)
}

// OpenNode opens a house whose spool other nodes may share.
func OpenNode(t *testing.T, node string, letters ...Letter) *House {
	t.Helper()
	return open(t, node, letters)
}

func open(t *testing.T, node string, letters []Letter) *House {
	t.Helper()
	dir, err := os.MkdirTemp("", "house") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &House{T: t, node: node, Spool: memspool.New(memspool.Options{Random: new(counter)}), Socket: filepath.Join(dir, admin.SocketName), now: time.Now(), Sessions: session.New(session.Options{}), Meter: meter.New()}
	h.fill(letters)
	h.desks()
	h.settled()
	h.serve()
	t.Setenv("POSTHOUSE_SOCKET", h.Socket)
	return h
}

// fill puts letters into the spool, as somebody who has tried them before.
func (h *House) fill(letters []Letter) {
	owner, err := h.Spool.Join(h.T.Context(), "before", time.Hour)
	h.must(err)
	for i := range letters {
		h.put(owner, &letters[i])
	}
	leased := true
	page, err := h.Spool.List(h.T.Context(), spool.Query{Filter: spool.Filter{Leased: &leased}})
	h.must(err)
	for i := range page.Items { // what was not tried is given back
		h.must(h.Spool.Release(h.T.Context(), owner, []spool.Ref{page.Items[i].Ref()}))
	}
	_, err = h.Spool.Join(h.T.Context(), "before", time.Nanosecond)
	h.must(err)
}

func (h *House) put(owner spool.Owner, l *Letter) {
	text := "Subject: " + l.Subject + "\r\n\r\nIt rains.\r\n"
	for len(text) < l.Size-2 {
		text += strings.Repeat("x", min(70, l.Size-2-len(text))) + "\r\n"
	}
	d, err := h.Spool.Begin(h.T.Context(), int64(len(text)))
	h.must(err)
	_, err = d.Write([]byte(text))
	h.must(err)
	e := mail.Envelope{From: Address(l.From), Arrived: h.now.Add(-l.Age - 30*time.Second), Subject: l.Subject}
	e.Source = mail.Source{Listener: "mx", Client: netip.MustParseAddrPort("192.0.2.1:4711"), Hello: "client.example", Protocol: "ESMTPS", TLS: "TLS 1.3", Login: l.Login}
	for _, w := range l.To {
		to := mail.Recipient{To: Address(w.To), Original: Address(w.To)}
		if w.Original != "" {
			to.Original = Address(w.Original)
		}
		e.To = append(e.To, to)
	}
	h.ids = append(h.ids, d.ID())
	lease, err := d.Commit(h.T.Context(), spool.Commit{Envelope: e, For: owner})
	h.must(err)
	h.settle(owner, lease, l)
}

// settle leaves recipients as they are to be found.
func (h *House) settle(owner spool.Owner, lease *spool.Lease, l *Letter) {
	s := spool.Settlement{ID: lease.Envelope.ID}
	for i, st := range lease.Recipients {
		w := &l.To[i]
		if w.Due == 0 && w.Held == "" {
			continue // fresh
		}
		st.Fate, st.Due, st.Attempts = mail.Deferred, h.now.Add(w.Due+30*time.Second), w.Tried
		if w.Reply != nil {
			st.Last = mail.Outcome{Recipient: i, Fate: mail.Deferred, At: h.now.Add(-time.Hour), Reply: w.Reply, Host: w.Host}
		}
		s.Results = append(s.Results, st)
	}
	_, err := h.Spool.Settle(h.T.Context(), owner, []spool.Settlement{s})
	h.must(err)
	for i := range l.To {
		if l.To[i].Held != "" {
			q := spool.Query{Filter: spool.Filter{ID: lease.Envelope.ID, Recipient: &i}}
			_, err := h.Spool.Alter(h.T.Context(), q, spool.Order{Verb: spool.Hold, At: h.now, By: l.To[i].Held}, nil)
			h.must(err)
		}
	}
}

func (h *House) desks() {
	t := h.T
	table, err := route.New([]route.Rule{
		{Name: "mailboxes", Origin: at(12), To: patterns("example.org"), Way: route.Way{Transport: "maildir:mailboxes", Mailbox: true}},
		{Name: "partners", Origin: at(20), To: patterns("*"), From: patterns("boss@example.org"), Way: route.Way{Transport: "smarthost", Hosts: []string{"relay.example.net:25"}}},
		{Name: "default", Way: route.Way{Transport: "remote"}},
	})
	h.must(err)
	house := filedir.Domain{
		Name: "example.org", Origin: at(3), Mailboxes: []string{"jane", "joe", "postmaster"},
		AliasFiles: []filedir.File{{Name: "aliases"}},
		Forwards:   []filedir.Forward{{Name: "gone", Origin: at(8), To: Address("gone@elsewhere.example"), Refuse: true}},
	}
	dir, err := filedir.Load(t.Context(), filedir.Options{Domains: []filedir.Domain{house}, Files: files{"aliases": "sales: jane, team\nteam: joe, joan@partner.example\n"}})
	h.must(err)
	h.Intake = intake.New(intake.Options{
		Hostname: "mx.example.org", Spool: h.Spool, Directory: dir,
		RelayFrom: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, RelaySaid: at(10),
		Owner:   func() spool.Owner { return h.Dispatch.Owner() },
		Arrived: func(a intake.Arrival) { h.Dispatch.Arrive(dispatch.Arrival(a)) },
		Observe: h.observe,
	})
	h.Dispatch = dispatch.New(dispatch.Options{
		Name: h.node,
		Settings: dispatch.Settings{
			Router: table, MTA: "mx.example.org", Mailer: Address("mailer-daemon@mx.example.org"),
			Transports: map[string]transport.Transport{"remote": road{}, "smarthost": road{}, "maildir:mailboxes": box{}},
			Queue: queue.Options{
				Seed: 1, Default: queue.Route{
					Retry: queue.Retry{{Min: 90 * time.Minute}}, Probe: queue.Retry{{Min: 90 * time.Minute}},
				},
				Routes: map[string]queue.Route{"partners": {
					Retry: queue.Retry{{Min: 90 * time.Minute}}, Probe: queue.Retry{{Min: 90 * time.Minute}},
					Destination: queue.Limits{Deliveries: 7}, Site: queue.Limits{Deliveries: 9},
					Said: queue.Said{Retry: at(21), Destination: at(23), Site: at(24)},
				}},
			},
		},
		Spool: h.Spool, Prepare: h.Intake.Prepare, Observe: h.observe,
	})
	done := make(chan error, 1)
	go func() { done <- h.Dispatch.Run(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = h.Dispatch.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for h.Dispatch.Owner() == (spool.Owner{}) {
		time.Sleep(time.Millisecond)
	}
}

// settled waits until the desk has taken what was never tried: until then it would be
// told to be fresh, and afterwards to be active.
func (h *House) settled() {
	untaken := func(it spool.Item) bool { return it.Owner == (spool.Owner{}) }
	for {
		page, err := h.Spool.List(h.T.Context(), spool.Query{Filter: spool.Filter{Place: spool.Fresh}})
		h.must(err)
		if !slices.ContainsFunc(page.Items, untaken) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (h *House) serve() {
	api := admin.New(admin.Options{
		Node: h.node, Draining: h.Intake.Draining,
		Spool: h.Spool, Dispatch: h.Dispatch, Intake: h.Intake, Sessions: h.Sessions, Meter: h.Meter, Find: h.finder(), Hostname: "mx.example.org", Version: "posthouse 1.0", Started: h.now.Add(-50 * time.Hour),
		Reload: func(ctx context.Context) error {
			if h.Reload != nil {
				return h.Reload(ctx)
			}
			return nil
		},
		Sizes: func() []admin.Size {
			return []admin.Size{{Listener: "sendmail", Local: true, Octets: 5 << 20}, {Listener: "mx", Octets: 10 << 20, Origin: at(5)}}
		},
		Certificates: func() []admin.Certificate { return h.Certificates },
		Holding:      func() (mail.Origin, bool) { return at(7), h.Holding },
		Beside:       inboxapi.Operations(),
	})
	h.API = api
	l, err := admin.Listen(h.Socket)
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l) }()
	h.End = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.T.Error(err)
		}
	})
	h.T.Cleanup(h.End)
}

// finder searches the journal, and reads all of it each time.
func (h *House) finder() admin.Finder {
	x, err := find.Open(find.Options{Dir: filepath.Join(filepath.Dir(h.Socket), "index"), Journal: h.Spool})
	h.must(err)
	return &fresh{Index: x}
}

// fresh is an index that is never behind.
type fresh struct {
	*find.Index
	mu sync.Mutex
}

// Find implements [admin.Finder].
func (f *fresh) Find(ctx context.Context, q find.Query) (find.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.CatchUp(ctx); err != nil {
		return find.Page{}, err
	}
	return f.Index.Find(ctx, q)
}

// Send takes a message in, and returns its ID when everything that can be done
// about it at once was done.
func (h *House) Send(from, subject string, to ...string) mail.ID {
	h.T.Helper()
	s := intake.Submission{
		Source: mail.Source{Listener: "sendmail", Login: "ann"}, From: Address(from),
		Text: strings.NewReader("Subject: " + subject + "\r\nMessage-ID: <1@example.org>\r\n\r\nIt rains.\r\n"),
	}
	for _, a := range to {
		s.To = append(s.To, smtp.Rcpt{To: Address(a)})
	}
	done, err := h.Intake.Submit(h.T.Context(), s)
	h.must(err)
	h.ids, h.sent = append(h.ids, done.ID), append(h.sent, done.ID)
	h.Quiet()
	return done.ID
}

// Quiet waits until everything that can be done about the mail at once was done:
// nothing is due that is not taken, and what is taken waits its turn or is on its
// way to slow.example.
func (h *House) Quiet() {
	h.T.Helper()
	if h.Spool == nil {
		return
	}
	for quiet, tries := 0, 0; quiet < 2; tries++ { // the desk starts what it can between two looks
		if tries == 10_000 {
			h.T.Fatal("the house does not come to rest")
		}
		if h.atRest() {
			quiet++
			continue
		}
		quiet = 0
		time.Sleep(time.Millisecond)
	}
}

func (h *House) atRest() bool {
	load, err := h.Dispatch.Load(h.T.Context())
	h.must(err)
	page, err := h.Spool.List(h.T.Context(), spool.Query{})
	h.must(err)
	taken, slow := 0, map[mail.ID]bool{} // a delivery for each message
	for _, it := range page.Items {
		switch due := it.Place == spool.Fresh || it.Place == spool.Waiting && !it.Standing.Due.After(time.Now()); {
		case it.Owner != spool.Owner{}:
			taken++
			if it.Envelope.To[it.Standing.Recipient].To.Domain() == "slow.example" {
				slow[it.Envelope.ID] = true
			}
		case due:
			return false
		}
	}
	return taken == load.Recipients && len(slow) == load.InFlight && h.hasHeard()
}

// observe takes what the desks tell.
func (h *House) observe(e event.Entry) {
	h.Meter.Observe(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heard == nil {
		h.heard = map[mail.ID]int{}
	}
	h.heard[e.ID]++
}

// hasHeard reports whether all that was recorded of what Send took in was told, too: that
// comes a little later.
func (h *House) hasHeard() bool {
	for _, id := range h.sent {
		page, err := h.Spool.Facts(h.T.Context(), spool.FactQuery{ID: id})
		h.must(err)
		h.mu.Lock()
		heard := h.heard[id]
		h.mu.Unlock()
		if heard < len(page.Facts) {
			return false
		}
	}
	return true
}

func (h *House) must(err error) {
	h.T.Helper()
	if err != nil {
		h.T.Fatal(err)
	}
}

// Address reads an address of a test; "" is the null path.
func Address(s string) smtp.Path {
	if s == "" {
		return smtp.Path{}
	}
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

func at(line int) mail.Origin { return mail.Origin{File: "main.hcl", Line: line, Column: 1} }

func patterns(list ...string) []route.Pattern {
	var all []route.Pattern
	for _, s := range list {
		p, err := route.ParsePattern(s)
		if err != nil {
			panic(err) // a test's own pattern
		}
		all = append(all, p)
	}
	return all
}

// counter is chance that grows, so that of two messages in one millisecond the
// later has the greater ID.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	b := binary.BigEndian.AppendUint64(nil, c.n<<32) // far enough apart for IDs that are shortened
	return copy(p, b[len(b)-min(len(b), len(p)):]), nil
}

// files are files in memory.
type files map[string]string

func (f files) Open(name string) (fs.File, error) {
	return fstest.MapFS{"file": {Data: []byte(f[name])}}.Open("file")
}

func (f files) OpenIn(_, name string) (fs.File, error) { return f.Open(name) }
