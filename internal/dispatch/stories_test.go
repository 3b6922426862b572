package dispatch_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

func TestRelayed(t *testing.T) {
	in(t, func(w *world) {
		w.send("bob@sina.example")
		time.Sleep(time.Second)
		w.check("01-relayed")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

func TestDeferredThenAccepted(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(2, greylisted))
		w.send("bob@sina.example")
		time.Sleep(time.Hour)
		w.check("02-deferred-then-accepted")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

func TestOneOfTwoIsRefusedAndReportedOnce(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("eve@sina.example", refuses)
		w.send("bob@sina.example", "eve@sina.example")
		time.Sleep(time.Hour)
		w.check("03-one-of-two-refused")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

func TestAReportThatBounces(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("ann@sohu.example", refuses)
		w.road.at("eve@sina.example", refuses)
		w.send("eve@sina.example")
		time.Sleep(time.Minute)
		s := w.settings
		s.DoubleBounces = address("postmaster@sohu.example")
		if err := w.desk.Reload(w.Context(), s); err != nil {
			w.Fatal(err)
		}
		w.send("eve@sina.example")
		time.Sleep(time.Minute)
		w.check("04-a-report-that-bounces")
	})
}

func TestDropWhileInFlight(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", after(time.Minute, greylisted))
		w.road.at("eve@sina.example", after(time.Minute, relays))
		one, other := w.send("bob@sina.example"), w.send("eve@sina.example")
		time.Sleep(30 * time.Second)
		w.order(one, spool.Remove)
		w.order(other, spool.Remove)
		time.Sleep(time.Hour)
		w.check("05-dropped-in-flight")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

func TestOrders(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, greylisted))
		w.road.at("eve@sina.example", greylisted)
		held, returned := w.send("bob@sina.example"), w.send("eve@sina.example")
		time.Sleep(10 * time.Second)
		w.order(held, spool.Hold)
		w.order(returned, spool.Bounce)
		time.Sleep(24 * time.Hour)
		w.order(held, spool.Free)
		time.Sleep(time.Minute)
		w.check("06-held-freed-and-returned")
	})
}

func TestRetryNow(t *testing.T) {
	in(t, func(w *world) {
		down := mail.Outcome{Fate: mail.Deferred, Local: true, HostDown: true, Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "no answer")}
		w.road.at("bob@sina.example", first(1, says(down)))
		id := w.send("bob@sina.example")
		time.Sleep(10 * time.Second)
		w.order(id, spool.Retry)
		time.Sleep(5 * time.Second)
		w.check("07-tried-again-by-order")
	})
}

func TestRerouted(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", first(1, greylisted))
		id := w.send("bob@sina.example")
		time.Sleep(10 * time.Second)
		q := spool.Query{Filter: spool.Filter{ID: id}}
		via := mail.Hop{Route: "by hand", Transport: "road", Destination: "backup.example"}
		if _, err := w.desk.Order(w.Context(), q, spool.Order{Verb: spool.Reroute, At: time.Now(), By: "root", Via: via}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		w.check("08-rerouted")
	})
}

// TestCrashBeforeTheRecord: the other side has said 250, and the power goes
// before that is on the disk. The message goes out once more, and says so.
func TestCrashBeforeTheRecord(t *testing.T) {
	in(t, func(w *world) {
		w.send("bob@sina.example")
		time.Sleep(20 * time.Millisecond) // relayed and recorded, but not synced
		synctest.Wait()
		w.crash()
		time.Sleep(time.Minute)
		w.check("09-crash-before-the-record")
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
	})
}

// TestSuspicionStays: an attempt that our own limits cut short does not clear
// what may have happened before the crash.
func TestSuspicionStays(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", func(ctx context.Context, nth int) mail.Outcome {
			if nth == 2 {
				return transport.Interrupted()
			}
			return relays(ctx, nth)
		})
		w.send("bob@sina.example")
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		w.crash()
		time.Sleep(time.Minute)
		if n := w.count("possible-second-copy"); n != 1 || w.road.tried("bob@sina.example") != 3 {
			w.Errorf("told %d times:\n%s", n, w.told())
		}
	})
}

// TestCutBehindTheDot: a second copy is possible, and is told at once.
func TestCutBehindTheDot(t *testing.T) {
	in(t, func(w *world) {
		cut := mail.Outcome{Fate: mail.Deferred, Local: true, Unsure: true, Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 2}, "no reply came")}
		w.road.at("bob@sina.example", first(1, says(cut)))
		w.send("bob@sina.example")
		time.Sleep(10 * time.Minute)
		w.check("10-cut-behind-the-dot")
	})
}

func TestDelayIsToldOnceAndExpiryReported(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", greylisted)
		w.settings.Queue.Default.Expire = 6 * time.Hour
		if err := w.desk.Reload(w.Context(), w.settings); err != nil {
			w.Fatal(err)
		}
		w.send("bob@sina.example")
		time.Sleep(24 * time.Hour)
		if n := w.count("reported", "action=delayed"); n != 1 {
			w.Errorf("%d reports of the delay", n)
		}
		if n := w.count("reported", "action=failed"); n != 1 {
			w.Errorf("%d reports of the failure", n)
		}
		if n := w.left(); n != 0 {
			w.Errorf("%d messages are left", n)
		}
		if w.Failed() {
			w.Log(w.told())
		}
	})
}

// TestLateIsToldOnce: that the time of BY has passed is told once, and so is the
// delay, whatever restarts there are between (RFC 2852, mode N).
func TestLateIsToldOnce(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("bob@sina.example", greylisted)
		if _, err := w.intake.Submit(w.Context(), intake.Submission{
			From: address("ann@sohu.example"), To: []smtp.Rcpt{{To: address("bob@sina.example")}},
			Params: smtp.MailParams{By: smtp.DeliverBy{Within: time.Hour, Mode: smtp.ByNotify}}, Text: strings.NewReader(letter),
		}); err != nil {
			w.Fatal(err)
		}
		for i, want := range []int{0, 1, 1, 1, 2, 2, 2} { // late after an hour, delayed after four
			time.Sleep(30 * time.Minute)
			if n := w.count("reported", "action=delayed"); n != want {
				w.Errorf("after %d hours and a half: told %d times, want %d", i, n, want)
			}
			w.crash()
			time.Sleep(30 * time.Minute)
		}
		if w.Failed() {
			w.Log(w.told())
		}
	})
}

// TestHeldByItsSender: mail that is not to be sent before some time has no lease
// when it arrives, and is found when its time comes (RFC 4865).
func TestHeldByItsSender(t *testing.T) {
	in(t, func(w *world) {
		if _, err := w.intake.Submit(w.Context(), intake.Submission{
			From: address("ann@sohu.example"), To: []smtp.Rcpt{{To: address("bob@sina.example")}},
			Params: smtp.MailParams{HoldFor: time.Hour}, Text: strings.NewReader(letter),
		}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Hour - time.Second)
		if n := w.count("relayed"); n != 0 {
			w.Error("it was sent too early")
		}
		time.Sleep(2 * time.Second)
		if n := w.count("relayed"); n != 1 {
			w.Errorf("relayed %d times:\n%s", n, w.told())
		}
	})
}

func TestNeverMeansNever(t *testing.T) {
	in(t, func(w *world) {
		w.road.at("eve@sina.example", refuses)
		w.sendAs(smtp.RcptParams{Notify: smtp.NotifyNever}, "eve@sina.example")
		time.Sleep(time.Minute)
		if n := w.count("reported"); n != 0 {
			w.Errorf("%d reports", n)
		}
	})
}

func says(o mail.Outcome) behaviour { return func(context.Context, int) mail.Outcome { return o } }
