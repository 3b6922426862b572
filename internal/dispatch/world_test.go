package dispatch_test

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

var update = flag.Bool("update", false, "write the stories anew")

// prepare makes the draft of a report.
type prepare func(context.Context, *dsn.Report, mail.Content) (spool.Draft, spool.Commit, error)

// world is both desks over a spool in memory, and roads that do as they are told.
type world struct {
	*testing.T
	spool    *memspool.Spool
	shaky    *shaky // between the spool and dispatch; may be nil
	keep     int64  // dispatch.Options.KeepBytes
	people   directory.Directory
	prepare  prepare // dispatch.Options.Prepare; nil is that of intake
	settings dispatch.Settings
	road     *road
	desk     *dispatch.Desk
	intake   *intake.Desk
	done     chan error
	start    time.Time

	mu    sync.Mutex
	story []string
	names map[mail.ID]string
}

// in runs f in a bubble with a world in it, and then shuts that down: nothing
// may be left running.
func in(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		f(w)
		w.shut()
	})
}

func newWorld(t *testing.T) *world {
	table, err := route.New([]route.Rule{{Name: "out", Way: route.Way{Transport: "road"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, spool: memspool.New(memspool.Options{}), start: time.Now(), names: map[mail.ID]string{}}
	w.road = newRoad()
	w.settings = dispatch.Settings{
		Router: table, Transports: map[string]transport.Transport{"road": w.road},
		MTA: "mx.sohu.example", Mailer: address("mailer-daemon@mx.sohu.example"),
	}
	return w
}

// open begins a life of the house on the spool that there is.
func (w *world) open() {
	w.done = make(chan error, 1)
	done := w.done
	w.intake = intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: w.spool, Directory: w.people,
		Owner:   func() spool.Owner { return w.desk.Owner() },
		Arrived: func(a intake.Arrival) { w.desk.Arrive(dispatch.Arrival(a)) },
		Observe: w.observe,
	})
	engine := dispatch.Spool(w.spool)
	if w.shaky != nil {
		w.shaky.Spool, engine = w.spool, w.shaky
	}
	write := w.intake.Prepare
	if w.prepare != nil {
		write = w.prepare
	}
	w.desk = dispatch.New(dispatch.Options{
		Settings: w.settings, Spool: engine, KeepBytes: w.keep, Prepare: write, Observe: w.observe,
		Log: slog.New(slog.NewTextHandler(w.Output(), nil)),
	})
	desk := w.desk
	go func() { done <- desk.Run(context.Background()) }()
	synctest.Wait()
}

// crash cuts the power, and begins the next life.
func (w *world) crash() {
	w.Helper()
	w.spool = w.spool.Crash()
	if err := w.desk.Shutdown(w.Context()); err != nil {
		w.Error(err)
	}
	<-w.done
	w.open()
}

func (w *world) shut() {
	w.Helper()
	if err := w.desk.Shutdown(w.Context()); err != nil {
		w.Error(err)
	}
	if err := <-w.done; err != nil {
		w.Errorf("Run returned %v", err)
	}
	synctest.Wait()
}

// observe writes an entry into the story, messages by the order in which they
// were first told of.
func (w *world) observe(e event.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := e.Line()
	if r, is := e.Event.(*event.Reported); is && !r.Report.IsZero() {
		line = strings.Replace(line, r.Report.String(), w.name(r.Report), 1)
	}
	line = strings.ReplaceAll(line, e.ID.String(), w.name(e.ID))
	line, _, _ = strings.Cut(line, " message-id=")
	w.story = append(w.story, fmt.Sprintf("%-10v %s", time.Since(w.start).Round(time.Millisecond), line))
}

func (w *world) name(id mail.ID) string {
	if w.names[id] == "" {
		w.names[id] = fmt.Sprintf("m%d", len(w.names)+1)
	}
	return w.names[id]
}

func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.story, "\n") + "\n"
}

// check holds the story against the file of that name.
func (w *world) check(name string) {
	w.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(w.told()), 0o666); err != nil {
			w.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	if diff := cmp.Diff(string(want), w.told()); diff != "" {
		w.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// count says how many lines of the story hold all the words.
func (w *world) count(words ...string) (n int) {
lines:
	for line := range strings.Lines(w.told()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		n++
	}
	return n
}

const letter = "Subject: hello\r\n\r\nIt rains.\r\n"

// send takes a message in, and returns its ID.
func (w *world) send(to ...string) mail.ID { return w.sendAs(smtp.RcptParams{}, to...) }

func (w *world) sendAs(params smtp.RcptParams, to ...string) mail.ID {
	w.Helper()
	s := intake.Submission{Source: mail.Source{Listener: "sendmail"}, From: address("ann@sohu.example"), Text: strings.NewReader(letter)}
	for _, a := range to {
		s.To = append(s.To, smtp.Rcpt{To: address(a), Params: params})
	}
	done, err := w.intake.Submit(w.Context(), s)
	if err != nil {
		w.Fatal(err)
	}
	return done.ID
}

// order gives an order about a message.
func (w *world) order(id mail.ID, verb spool.Verb) {
	w.Helper()
	q := spool.Query{Filter: spool.Filter{ID: id}}
	if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: verb, At: time.Now(), By: "root", Reason: "said so"}); err != nil {
		w.Fatal(err)
	}
}

// left is how many messages are in the spool.
func (w *world) left() int64 {
	w.Helper()
	st, err := w.spool.Stats(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return st.Messages
}

func address(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

// behaviour is what becomes of a recipient at its nth try, counted from 1.
type behaviour func(ctx context.Context, nth int) mail.Outcome

// road is a transport that does as it is told for each recipient, and else
// relays after 10 ms.
type road struct {
	mu      sync.Mutex
	tries   map[string]int
	behave  map[string]behaviour
	relayed map[string]int
	texts   []string
}

func newRoad() *road {
	return &road{tries: map[string]int{}, behave: map[string]behaviour{}, relayed: map[string]int{}}
}

func (r *road) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	sheet := transport.NewSheet(&d)
	to := &d.Envelope.To[d.Recipients[0]]
	time.Sleep(10*time.Millisecond + residue(to.To.String()+to.Into+d.Envelope.Arrived.String()))
	for i, n := range d.Recipients {
		to := d.Envelope.To[n].To.String()
		r.mu.Lock()
		r.tries[to]++
		nth, b := r.tries[to], r.behave[to]
		r.mu.Unlock()
		if b == nil {
			b = relays
		}
		o := b(ctx, nth)
		sheet.Decide(i, o)
		if o.Fate == mail.Relayed {
			r.mu.Lock()
			r.relayed[to]++
			r.mu.Unlock()
		}
	}
	r.read(d.Content)
	return sheet.Outcomes()
}

// at tells what becomes of a recipient.
func (r *road) at(recipient string, b behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behave[recipient] = b
}

// tried says how often a recipient was tried.
func (r *road) tried(recipient string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries[recipient]
}

// sent says how often a recipient got a message.
func (r *road) sent(recipient string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.relayed[recipient]
}

// residue is a time too short to be seen in a story, so that no two deliveries
// end at the same instant, and the story is the same each time.
func residue(name string) time.Duration {
	h := fnv.New32a()
	io.WriteString(h, name)
	return time.Duration(h.Sum32() % 400_000)
}

func (r *road) read(c mail.Content) {
	f, err := c.Open()
	if err != nil {
		return
	}
	defer f.Close()
	all, _ := io.ReadAll(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, string(all))
}

// carried is the texts that were carried, one after the other.
func (r *road) carried() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.texts, "")
}

func relays(context.Context, int) mail.Outcome {
	return mail.Outcome{Fate: mail.Relayed, Host: "mx", Reply: smtp.Replyf(250, smtp.EnhancedCode{2, 0, 0}, "ok")}
}

func refuses(context.Context, int) mail.Outcome {
	return mail.Outcome{Fate: mail.Failed, Host: "mx", Stage: smtp.VerbRCPT, Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no such user")}
}

func greylisted(context.Context, int) mail.Outcome {
	return mail.Outcome{Fate: mail.Deferred, Host: "mx", Stage: smtp.VerbRCPT, Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "come back later")}
}

// first does something at the first so many tries, and relays then.
func first(n int, b behaviour) behaviour {
	return func(ctx context.Context, nth int) mail.Outcome {
		if nth <= n {
			return b(ctx, nth)
		}
		return relays(ctx, nth)
	}
}

// after does something a while later, or is interrupted.
func after(d time.Duration, b behaviour) behaviour {
	return func(ctx context.Context, nth int) mail.Outcome {
		select {
		case <-time.After(d):
			return b(ctx, nth)
		case <-ctx.Done():
			return transport.Interrupted()
		}
	}
}
