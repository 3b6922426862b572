package intake_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

var update = flag.Bool("update", false, "write anew what is told behind each dialogue")

// TestDialogues plays the dialogues of testdata against the desk. The comment of
// each file is a story and, in lines "# word: value", its world:
//
//	client: the client's address, 192.0.2.7 by default; 10.0.0.0/8 may relay
//	room:   octets that the spool has
//	disk:   "fails" after MAIL; and always when a text tells of smoke
//	draining: "yes" if another node takes the mail
//	submission: "yes", or "hidden" if the client is not to be told of
//
// Behind the dialogue stands what was told of it, and what is in the spool then.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playFile(t, file) })
		})
	}
}

func playFile(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, string(a.Comment))
	script, err := transcript.Parse(filepath.Base(file), section(a, "dialogue"))
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Ask(w.connect(), &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Error(err)
	}
	w.close()
	told := messageID.ReplaceAllString(w.told.String()+w.kept(), "<MADE@mx.sohu.example>")
	w.searchCanaries(told)
	if *update {
		a.Files = []txtar.File{{Name: "dialogue", Data: []byte(section(a, "dialogue"))}, {Name: "told", Data: []byte(told)}}
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(section(a, "told"), told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// world is a desk behind a server, over a spool in memory.
type world struct {
	*testing.T
	spool  *memspool.Spool
	desk   *intake.Desk
	server *smtpserver.Server
	lis    *listener
	client netip.Addr
	served chan error

	log      strings.Builder // of the server; read when it has ended
	mu       sync.Mutex
	told     strings.Builder
	arrivals []intake.Arrival
}

func newWorld(t *testing.T, comment string) *world {
	set := map[string]string{}
	for line := range strings.Lines(comment) {
		if key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), ": "); ok {
			set[key] = value
		}
	}
	w := &world{T: t, client: netip.MustParseAddr("192.0.2.7"), served: make(chan error, 1)}
	if a := set["client"]; a != "" {
		w.client = netip.MustParseAddr(a)
	}
	var room int64
	fmt.Sscan(set["room"], &room)
	w.spool = memspool.New(memspool.Options{Random: &counter{}, Capacity: room})
	dir := directory.Directory(people{})
	if set["disk"] == "fails" {
		dir = failing{people{}, w.spool}
	}
	w.desk = intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: w.spool, Directory: dir, Policy: asked(check{spool: w.spool}), MaxHops: 5,
		RelayFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Logins:    newDoor(),
		Arrived:   w.arrived, Observe: w.observe,
		Owner: func() spool.Owner { return spool.Owner{Name: "somebody", Epoch: 1} },
	})
	w.desk.Drain(set["draining"] == "yes")
	w.server = &smtpserver.Server{
		Handler: w.desk.Listener("mx"), Hostname: "mx.sohu.example", Offer: intake.Offers,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if how := set["submission"]; how != "" {
		w.server.Handler = w.desk.Submissions("submission", intake.SubmissionOptions{HideClient: how == "hidden"})
		w.server.TLS, w.server.RequireTLS = selfMade(t), true
	}
	w.lis = &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	go func() { w.served <- w.server.Serve(w.lis) }()
	return w
}

func (w *world) connect() net.Conn {
	ours, theirs := transcript.Pipe(1 << 16)
	w.lis.conns <- named{theirs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.client, 4711))}
	return ours
}

func (w *world) close() {
	if err := w.server.Shutdown(context.Background()); err != nil {
		w.Error(err)
	}
	if err := <-w.served; !errors.Is(err, smtpserver.ErrServerClosed) {
		w.Error(err)
	}
}

func (w *world) observe(e event.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told.WriteString(e.Line() + "\n")
}

func (w *world) arrived(a intake.Arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = append(w.arrivals, a)
}

// kept prints what is in the spool: what the envelopes say beside the events, and the texts.
func (w *world) kept() string {
	var b strings.Builder
	page, err := w.spool.List(context.Background(), spool.Query{})
	if err != nil {
		return err.Error() + "\n"
	}
	for _, it := range page.Items {
		e := it.Envelope
		to := e.To[it.Standing.Recipient]
		fmt.Fprintf(&b, "%s: to=%s%s notify=%s orcpt=%s body=%s utf8=%v return=%s envid=%s priority=%d requiretls=%v hold=%v by=%v%c hops=%d\n",
			e.ID, to.To, instead(&to), to.Notify, to.ORcpt, e.Body, e.UTF8, e.Return, e.EnvID, e.Priority, e.RequireTLS,
			after(e.Arrived, e.HoldUntil), after(e.Arrived, e.By), max(e.ByMode, '-'), e.Hops)
		if it.Standing.Recipient == len(e.To)-1 {
			b.WriteString(w.text(e.ID))
		}
	}
	return b.String()
}

// instead is what the mail goes into, if it is nobody's mailbox.
func instead(to *mail.Recipient) string {
	switch {
	case to.Expanded:
		return " (expanded)"
	case to.Into != "":
		return fmt.Sprintf(" (into %q, %s)", to.Into, to.Origin)
	}
	return ""
}

func after(t, until time.Time) time.Duration {
	if until.IsZero() {
		return 0
	}
	return until.Sub(t)
}

// text is the content of a message, and a complaint if what was handed on with
// its arrival is another.
func (w *world) text(id mail.ID) string {
	c, err := w.spool.Open(context.Background(), id)
	if err != nil {
		return err.Error() + "\n"
	}
	r, err := c.Open()
	if err != nil {
		return err.Error() + "\n"
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		return err.Error() + "\n"
	}
	for _, a := range w.arrivals {
		if bytes.Contains(a.Text, []byte(id.String())) && !bytes.Equal(a.Text, all) {
			w.Errorf("handed on:\n%q\nkept:\n%q", a.Text, all)
		}
	}
	if len(all) > 2000 {
		return fmt.Sprintf("\t(%d octets)\n", len(all))
	}
	all = bytes.ReplaceAll(all, []byte{0}, []byte(`\0`))
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(strings.ReplaceAll(string(all), "\r\n", "\n"), "\n"), "\n", "\n\t") + "\n"
}

// people are some of sohu.example.
type people struct{}

func (people) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	r := directory.Resolution{Address: to}
	if to.Domain() != "" && !strings.EqualFold(to.Domain(), "sohu.example") {
		return r, nil
	}
	switch strings.ToLower(to.Local()) {
	case "ann", "bob":
		r.Kind, r.To = directory.Mailbox, []directory.Target{{To: to, Local: true}}
	case "sales":
		r.Kind, r.To = directory.Alias, targets("ann@sohu.example", "carl@sina.example")
	case "postmaster":
		r.Kind, r.To = directory.Alias, targets("root@sohu.example")
	case "dora":
		r.Kind, r.To, r.New, r.Tell = directory.Forwarded, targets("dora@sina.example"), address("dora@sina.example"), true
	case "emil":
		r.Kind, r.New = directory.Moved, address("emil@sina.example")
	case "robot":
		r.Kind, r.To = directory.Alias, []directory.Target{
			{To: to, Into: "|/usr/bin/robot", Origin: mail.Origin{File: "aliases", Line: 3, Column: 8}},
			{To: to, Into: "/var/log/robot", Origin: mail.Origin{File: "aliases", Line: 3, Column: 24}},
		}
	case "slow":
		return directory.Resolution{}, errors.New("the directory is away")
	default:
		r.Kind = directory.Unknown
	}
	return r, nil
}

func targets(all ...string) (list []directory.Target) {
	for _, a := range all {
		list = append(list, directory.Target{To: address(a)})
	}
	return list
}

func (p people) Find(ctx context.Context, word string) ([]directory.Resolution, error) {
	r, err := p.Lookup(ctx, address(word+"@sohu.example"))
	if err != nil || r.Kind == directory.Unknown {
		return nil, err
	}
	return []directory.Resolution{r}, nil
}

// failing lets the disk fail as soon as somebody is looked for.
type failing struct {
	people
	spool *memspool.Spool
}

func (f failing) Lookup(ctx context.Context, to smtp.Path) (directory.Resolution, error) {
	f.spool.Fail(errors.New("input/output error"))
	return f.people.Lookup(ctx, to)
}

// check is a policy that refuses what says so.
type check struct {
	policy.Silent
	spool *memspool.Spool
}

func (check) Name() string                        { return "check" }
func (c check) Open(*policy.Visit) policy.Session { return c }

func (check) Connect(_ context.Context, v *policy.Visit) policy.Opinion {
	if v.Source.Client.Addr() == netip.MustParseAddr("203.0.113.1") {
		return policy.Opinion{Action: policy.Reject, Firm: true, Reply: smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 7, 1}, "go away")}
	}
	return policy.Opinion{}
}

func (check) Mail(_ context.Context, v *policy.Visit) policy.Opinion {
	if v.From.Local() == "spammer" {
		return policy.Opinion{Action: policy.Reject, Firm: true, Reply: smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "we know you")}
	}
	return policy.Opinion{}
}

func (check) Rcpt(_ context.Context, v *policy.Visit, to *smtp.Rcpt) policy.Opinion {
	if to.To.Local() == "bob" && v.From.Local() == "stranger" {
		return policy.Opinion{Action: policy.Defer, Reply: smtp.Replyf(smtp.CodeMailboxBusy, smtp.EnhancedCode{4, 7, 1}, "greylisted")}
	}
	return policy.Opinion{}
}

func (c check) Data(_ context.Context, v *policy.Visit, text *policy.Text) policy.Opinion {
	r, err := text.Open()
	if err != nil {
		return policy.Opinion{Action: policy.Defer, Reason: err.Error()}
	}
	defer r.Close()
	all, err := io.ReadAll(io.LimitReader(r, 10_000))
	switch {
	case err != nil:
		return policy.Opinion{Action: policy.Defer, Reason: err.Error()}
	case bytes.Contains(all, []byte("virus")):
		return policy.Opinion{Action: policy.Reject, Reason: "it is one", Reply: smtp.Replyf(smtp.CodeFailed, smtp.EnhancedCode{5, 7, 1}, "not this")}
	case bytes.Contains(all, []byte("smoke")):
		c.spool.Fail(errors.New("input/output error"))
	case bytes.Contains(all, []byte("odd")):
		return policy.Opinion{Edits: policy.Edits{Top: []policy.Field{{Name: "X-Odd", Value: "yes"}, {Name: "X-Two", Value: "lines\nof it"}}}}
	}
	return policy.Opinion{}
}

// asked is a policy of one check.
func asked(c policy.Check) map[string]*policy.Panel {
	panel := &policy.Panel{Hostname: "mx.sohu.example", Checks: []policy.Check{c}}
	return map[string]*policy.Panel{"mx": panel, "submission": panel}
}

func address(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// counter makes IDs that are the same in each run.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	clear(p)
	p[len(p)-1] = c.n
	return len(p), nil
}

// listener accepts the connections that it is given.
type listener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// named is a connection from somewhere.
type named struct {
	net.Conn
	from net.Addr
}

func (n named) RemoteAddr() net.Addr { return n.from }
