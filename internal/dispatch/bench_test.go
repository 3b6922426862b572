package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// null relays at once.
type null struct{ done atomic.Int64 }

func (n *null) Deliver(_ context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	s.DecideAll(mail.Outcome{Fate: mail.Relayed, Host: "mx.sina.example", Addr: "192.0.2.1:25", Reply: &smtp.Reply{Code: 250, Text: "ok"}})
	n.done.Add(1)
	return s.Outcomes()
}

// BenchmarkThrough sends messages of 4 KB through both desks, from 20 programs at
// a time, with a transport that does nothing.
func BenchmarkThrough(b *testing.B) {
	b.Run("memory", func(b *testing.B) { through(b, memspool.New(memspool.Options{FactBytes: 1 << 20})) })
	b.Run("disk", func(b *testing.B) {
		engine, err := pebblespool.Open(b.TempDir(), pebblespool.Options{MinFree: -1, Ballast: -1})
		if err != nil {
			b.Fatal(err)
		}
		through(b, engine)
	})
}

func through(b *testing.B, engine spool.Engine) {
	defer engine.Close()
	road := new(null)
	var desk *dispatch.Desk
	in := intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: engine,
		Owner:   func() spool.Owner { return desk.Owner() },
		Arrived: func(a intake.Arrival) { desk.Arrive(dispatch.Arrival(a)) },
	})
	desk = dispatch.New(dispatch.Options{Spool: engine, Prepare: in.Prepare, Settings: dispatch.Settings{
		Router: toHost("null", "192.0.2.1"), Transports: map[string]transport.Transport{"null": road},
		Queue: queue.Options{Default: queue.Route{Destination: queue.Limits{Deliveries: 50}, Site: queue.Limits{Deliveries: 50}}},
		MTA:   "mx.sohu.example", Mailer: address("mailer-daemon@mx.sohu.example"),
	}})
	ran := make(chan error)
	go func() { ran <- desk.Run(context.Background()) }()
	text := "Subject: hello\r\nMessage-ID: <1@sohu.example>\r\n\r\n" + strings.Repeat("It rains and rains and rains, and then it rains some more.\r\n", 70)
	from, to := address("ann@sohu.example"), []smtp.Rcpt{{To: address("bob@sina.example")}}
	b.ReportAllocs()
	b.ResetTimer()
	b.SetBytes(int64(len(text)))
	began, start := cpu(), time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if _, err := in.Submit(context.Background(), intake.Submission{From: from, To: to, Text: strings.NewReader(text)}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for road.done.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "µs-cpu/msg")
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "msg/s")
	if err := desk.Shutdown(context.Background()); err != nil {
		b.Error(err)
	}
	if err := <-ran; err != nil {
		b.Error(err)
	}
	if st, _ := engine.Stats(context.Background()); st.Messages != 0 {
		b.Error(fmt.Sprint(st.Messages, " messages are left"))
	}
}

// cpu is the time that the process has had.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
