package dispatch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestRealEnds: a client says a message to our server, and our client says it to
// the next one.
func TestRealEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &transporttest.Peer{Offers: []string{"PIPELINING", "8BITMIME"}}
		out := &remote.Transport{
			LocalName: "mx.sohu.example", Smarthost: true,
			Dial:   func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) { return peer.Dial(ctx) },
			Policy: func(string) (smtpclient.TLSPolicy, *tls.Config) { return smtpclient.TLSNever, nil },
		}
		w := newWorld(t)
		w.settings.Transports["remote"] = out
		w.settings.Router = toHost("remote", "192.0.2.1")
		w.open()
		server := &smtpserver.Server{Handler: w.intake.Listener("mx"), Hostname: "mx.sohu.example", Offer: intake.Offers}
		w.intake.Reload(intake.Options{
			Hostname: "mx.sohu.example", Spool: w.spool, RelayFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Owner: w.desk.Owner, Arrived: func(a intake.Arrival) { w.desk.Arrive(dispatch.Arrival(a)) }, Observe: w.observe,
		})
		ours, theirs := transcript.Pipe(1 << 16)
		lis := &oneConn{conn: local{theirs}, done: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(lis) }()
		script, err := transcript.Parse("client", strings.Join([]string{
			"S: 220", "C: EHLO client.example", "S~ 250", "C: MAIL FROM:<ann@sohu.example>", "S: 250", "C: RCPT TO:<bob@sina.example>", "S: 250",
			"C: DATA", "S: 354", "C: Subject: hello", "C:", "C: ..It rains.", "C: .", "S: 250", "C: QUIT", "S: 221",
		}, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := script.Ask(ours, nil); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		texts := peer.Saw()
		if len(texts) != 1 || !strings.HasSuffix(texts[0], "\r\nSubject: hello\r\n\r\n.It rains.\r\n") || !strings.HasPrefix(texts[0], "Received: from client.example ([127.0.0.1])") {
			t.Errorf("the peer has %q", texts)
		}
		if n := w.left(); n != 0 {
			t.Errorf("%d messages are left", n)
		}
		w.shut()
		_ = out.Close(t.Context())
		_ = server.Close()
		<-served
	})
}

func toHost(transport, host string) dispatch.Router {
	table, err := route.New([]route.Rule{{Name: "out", Way: route.Way{Transport: transport, Hosts: []string{host}}}})
	if err != nil {
		panic(err) // a test's own table
	}
	return table
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

// TestSlowDestination: one that takes ten minutes for each message does not hold up
// another.
func TestSlowDestination(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@slow.example", after(10*time.Minute, relays))
		for range 20 {
			w.send("bob@slow.example")
		}
		for range 100 {
			w.send("eve@quick.example")
		}
		time.Sleep(10 * time.Second)
		if n := w.count("relayed", "eve@quick.example"); n != 100 {
			w.Errorf("%d of 100 got to the quick destination", n)
		}
		time.Sleep(2 * time.Hour)
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestManyDrain: ten thousand messages for a hundred destinations, through a
// window that holds a tenth of them.
func TestManyDrain(t *testing.T) {
	in(t, func(w *world) {
		w.settings.Queue.Window = 1000
		if err := w.desk.Reload(w.Context(), w.settings); err != nil {
			w.Fatal(err)
		}
		for i := range 10_000 {
			w.send(fmt.Sprintf("user%d@d%d.example", i, i%100))
		}
		for range 100 {
			time.Sleep(time.Minute)
		}
		if n := w.count("relayed"); n != 10_000 {
			w.Errorf("%d relayed", n)
		}
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestManyRecipients: a message for a thousand, each at a destination of their
// own, half of whom are refused: the reports are as many as what was found out at a
// time, and tell of each once.
func TestManyRecipients(t *testing.T) {
	in(t, func(w *world) {
		var to []string
		for i := range 1000 {
			a := fmt.Sprintf("user%d@d%d.example", i, i)
			if to = append(to, a); i%2 == 0 {
				w.road.at(a, refuses)
			}
		}
		w.send(to...)
		time.Sleep(time.Hour)
		if n := w.count("m1 relayed"); n != 500 {
			w.Errorf("%d relayed", n)
		}
		if failed, reported := w.count("m1 failed"), w.count("m1 reported"); failed != 500 || reported != 500 {
			w.Errorf("%d failed, %d reported", failed, reported)
		}
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestTheDiskFails: nothing is begun any more, and Run says why.
func TestTheDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.open()
		w.road.at("bob@sina.example", after(time.Hour, relays))
		w.send("bob@sina.example")
		w.send("eve@sina.example")
		time.Sleep(5 * time.Millisecond)
		w.spool.Fail(errors.New("input/output error"))
		if err := <-w.done; !errors.Is(err, spool.ErrFailed) {
			t.Errorf("Run returned %v", err)
		}
		if since := time.Since(w.start); since > time.Minute {
			t.Errorf("it took %v", since)
		}
		if err := w.desk.Reload(t.Context(), w.settings); !errors.Is(err, dispatch.ErrStopped) {
			t.Errorf("Reload: %v", err)
		}
		if err := w.desk.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// TestEpochIsLost: another takes our leases while a delivery is under way. Its
// outcome is refused, and the journal says that there may be a second copy.
func TestEpochIsLost(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, after(30*time.Second, relays)))
		w.send("bob@sina.example")
		w.send("eve@sina.example")
		time.Sleep(10 * time.Second)
		other, err := w.spool.Join(w.Context(), "dispatch", time.Hour)
		if err != nil {
			w.Fatal(err)
		}
		taken, err := w.spool.Lease(w.Context(), other, spool.Want{Recipients: 10})
		if err != nil || len(taken.Leases) != 1 {
			w.Fatal(taken, err)
		}
		time.Sleep(time.Hour)
		w.check("11-the-epoch-is-lost")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestNoRoomForTheReport: what failed is recorded when its report can be, and not
// before.
func TestNoRoomForTheReport(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("eve@sina.example", refuses)
		w.send("eve@sina.example")
		w.spool.SetCapacity(1)
		time.Sleep(time.Minute)
		if n := w.count("failed") + w.count("reported"); n != 0 {
			w.Errorf("recorded without a report:\n%s", w.told())
		}
		w.spool.SetCapacity(0)
		time.Sleep(time.Minute)
		if n := w.count("m1 reported", "action=failed"); n != 1 || w.left() != 0 {
			w.Errorf("%d reports:\n%s", n, w.told())
		}
	})
}

// TestShutdown: what is under way is recorded, what waits goes back, and the next
// life sends it without a word of a second copy.
func TestShutdown(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(3, after(time.Minute, relays)))
		for range 5 { // two at a time
			w.send("bob@sina.example")
		}
		time.Sleep(time.Second)
		w.shut()
		if n := w.left(); n != 3 {
			w.Errorf("%d messages are left, want 3", n)
		}
		w.open()
		time.Sleep(5 * time.Minute)
		if n := w.count("relayed"); n != 5 || w.count("second-copy") != 0 {
			w.Errorf("%d relayed:\n%s", n, w.told())
		}
	})
}

// TestShutdownInterrupts: who is in a hurry does not wait for a slow host.
func TestShutdownInterrupts(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, after(time.Hour, relays)))
		w.send("bob@sina.example")
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if err := w.desk.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("Shutdown: %v", err)
		}
		if err := <-w.done; err != nil {
			w.Error(err)
		}
		w.open()
		time.Sleep(time.Minute)
		w.check("12-interrupted-and-sent-by-the-next")
	})
}

// planner is a road that says where it leads, after a while.
type planner struct {
	*road
	mu    sync.Mutex
	asked int
	sites map[string]bool
}

func (p *planner) Plan(_ context.Context, h mail.Hop) transport.Plan {
	time.Sleep(time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return transport.Plan{Site: fmt.Sprint("operator ", p.asked), Until: time.Now().Add(time.Hour), Notes: []string{h.Destination}}
}

func (p *planner) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	if d.Plan == nil || d.Plan.Notes[0] != d.Hop.Destination {
		panic("no plan, or that of another")
	}
	p.mu.Lock()
	p.sites[d.Plan.Site] = true
	p.mu.Unlock()
	return p.road.Deliver(ctx, d)
}

// TestPlansAreKept: a hop is planned once, until its plan is over, and only then sent.
func TestPlansAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := &planner{road: w.road, sites: map[string]bool{}}
		w.settings.Transports["road"] = p
		w.open()
		for range 10 {
			w.send("bob@sina.example")
		}
		time.Sleep(time.Minute)
		if n := w.count("relayed"); p.asked != 1 || n != 10 {
			t.Errorf("asked %d times, %d relayed", p.asked, n)
		}
		time.Sleep(time.Hour)
		w.send("bob@sina.example")
		time.Sleep(time.Minute)
		if n := w.count("relayed"); p.asked != 2 || n != 11 {
			t.Errorf("asked %d times, %d relayed", p.asked, n)
		}
		known, err := w.desk.Known(t.Context(), []string{"sina.example"})
		if err != nil || len(known) != 1 || known[0].Site != "operator 2" {
			t.Errorf("known %+v, %v", known, err)
		}
		w.shut()
	})
}

// TestCrashBeforeTheReportIsWrittenAnew: an operator holds one of two recipients
// while both are being refused, so that their report is set aside; and the power
// goes before there is one for the other alone. It is told all the same, once.
func TestCrashBeforeTheReportIsWrittenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var written atomic.Int32
		w.prepare = func(ctx context.Context, r *dsn.Report, about mail.Content) (spool.Draft, spool.Commit, error) {
			if written.Add(1) == 2 {
				time.Sleep(time.Minute)
			}
			return w.intake.Prepare(ctx, r, about)
		}
		w.open()
		w.road.at("bob@sina.example", refuses)
		w.road.at("eve@sina.example", after(time.Minute, refuses))
		id := w.send("bob@sina.example", "eve@sina.example")
		time.Sleep(30 * time.Second)
		one := 0
		q := spool.Query{Filter: spool.Filter{ID: id, Recipient: &one}}
		if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: spool.Hold, At: time.Now(), By: "root"}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := written.Load(); n != 2 {
			w.Errorf("%d reports were begun", n)
		}
		w.crash()
		time.Sleep(time.Hour)
		if n := w.road.sent("ann@sohu.example"); n != 1 {
			w.Errorf("told %d times:\n%s", n, w.told())
		}
		if n := w.left(); n != 1 {
			w.Errorf("%d messages are left", n)
		}
		w.shut()
	})
}

// TestOrderComesBeforeTheReport: an operator holds one of two recipients while
// both are being refused. The other's report is sent all the same.
func TestOrderComesBeforeTheReport(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", refuses)
		w.road.at("eve@sina.example", after(time.Minute, refuses))
		id := w.send("bob@sina.example", "eve@sina.example")
		time.Sleep(30 * time.Second)
		one := 0
		q := spool.Query{Filter: spool.Filter{ID: id, Recipient: &one}}
		if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: spool.Hold, At: time.Now(), By: "root"}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.check("13-an-order-before-the-report")
		page, err := w.spool.List(w.Context(), spool.Query{})
		if err != nil || len(page.Items) != 1 || page.Items[0].Standing.Recipient != 0 || page.Items[0].Place != spool.Held {
			w.Errorf("in the spool: %+v, %v", page.Items, err)
		}
	})
}

// TestDamage: a message that is not what was written is raised, and nothing of it is
// sent.
func TestDamage(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, greylisted))
		id := w.send("bob@sina.example")
		time.Sleep(time.Second)
		w.spool.Spoil(id)
		time.Sleep(time.Hour)
		w.check("14-damage")
	})
}

// TestUnrouted: mail for which no route is configured waits until one is.
func TestUnrouted(t *testing.T) {
	in(t, func(w *world) {
		good := w.settings.Router
		s := w.settings
		s.Router = nowhere{}
		if err := w.desk.Reload(w.Context(), s); err != nil {
			w.Fatal(err)
		}
		w.send("bob@sina.example")
		time.Sleep(30 * time.Second)
		s.Router = good
		if err := w.desk.Reload(w.Context(), s); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.check("15-no-route-and-then-one")
	})
}

type nowhere struct{}

func (nowhere) Route(route.Question) (mail.Hop, bool) { return mail.Hop{}, false }

// TestSameSeedSameStory: the same happens again, to the nanosecond and in the same
// order, whatever the goroutines do.
func TestSameSeedSameStory(t *testing.T) {
	tell := func() (story string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.settings.Queue = queue.Options{Seed: 7}
			w.open()
			for i := range 50 {
				to := fmt.Sprintf("user%d@d%d.example", i, i%7)
				w.road.at(to, first(i%4, greylisted))
				w.road.at("no-"+to, refuses)
				w.send(to, "no-"+to)
				time.Sleep(time.Duration(i*i) * time.Millisecond)
			}
			time.Sleep(48 * time.Hour)
			w.shut()
			story = w.told()
		})
		return story
	}
	first := tell()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 3 {
		if again := tell(); again != first {
			t.Fatalf("(-first +again):\n%s", cmp.Diff(strings.Split(first, "\n"), strings.Split(again, "\n")))
		}
	}
	if strings.Count(first, "relayed to=<user") != 50 || strings.Count(first, "reported") != 50 {
		t.Errorf("not all of it happened:\n%s", first)
	}
}
