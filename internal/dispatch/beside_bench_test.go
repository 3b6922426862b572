package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// deaf never answers before its context ends.
type deaf struct{}

func (deaf) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	<-ctx.Done()
	s := transport.NewSheet(&d)
	s.DecideAll(transport.Interrupted())
	return s.Outcomes()
}

// byDomain routes what goes to a domain to the transport of its first label.
type byDomain struct{}

func (byDomain) Route(q route.Question) (mail.Hop, bool) {
	domain := q.To.Domain()
	name, _, _ := strings.Cut(domain, ".")
	return mail.Hop{Route: name, Transport: name, Destination: domain}, true
}

// BenchmarkBeside sends messages one by one to a host that takes all, while so many
// for others fill the window, who do not answer: they must cost nothing.
func BenchmarkBeside(b *testing.B) {
	for _, waiting := range []int{0, 5_000, 45_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) { beside(b, waiting) })
	}
}

func beside(b *testing.B, waiting int) {
	engine := memspool.New(memspool.Options{FactBytes: 1 << 20})
	defer engine.Close()
	road := new(null)
	var desk *dispatch.Desk
	in := intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: engine,
		Owner:   func() spool.Owner { return desk.Owner() },
		Arrived: func(a intake.Arrival) { desk.Arrive(dispatch.Arrival(a)) },
	})
	desk = dispatch.New(dispatch.Options{Spool: engine, Prepare: in.Prepare, Settings: dispatch.Settings{
		Router: byDomain{}, Transports: map[string]transport.Transport{"null": road, "deaf": deaf{}},
		Queue: queue.Options{Default: queue.Route{Destination: queue.Limits{Deliveries: 1}, Site: queue.Limits{Deliveries: 1}}},
		MTA:   "mx.sohu.example", Mailer: address("mailer-daemon@mx.sohu.example"),
	}})
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- desk.Run(ctx) }()
	defer func() { <-ran }()
	defer stop()
	send := func(domain string) {
		s := intake.Submission{From: address("ann@sohu.example"), To: []smtp.Rcpt{{To: address("bob@" + domain)}}, Text: strings.NewReader("Subject: hello\r\n\r\nhello\r\n")}
		if _, err := in.Submit(ctx, s); err != nil {
			b.Fatal(err)
		}
	}
	for i := range waiting {
		send(fmt.Sprintf("deaf.host-%d.example", i%20))
	}
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	for n := range b.N {
		send("null.example")
		for road.done.Load() <= int64(n) {
			time.Sleep(10 * time.Microsecond)
		}
	}
	b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "µs-cpu/msg")
}
