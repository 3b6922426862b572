package dispatch_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/discard"
	"github.com/posthouse/posthouse/smtp"
)

// The two desks, joined by the four functions that they have for each other: one
// message comes in, and is thrown away as its route says.
func Example() {
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	table, err := route.New([]route.Rule{{Name: "away", Way: route.Way{Transport: "discard"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mailer, _ := smtp.ParseMailbox("mailer-daemon@mx.sohu.example")

	var out *dispatch.Desk
	done := make(chan struct{})
	in := intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: engine,
		Owner:   func() spool.Owner { return out.Owner() },
		Arrived: func(a intake.Arrival) { out.Arrive(dispatch.Arrival(a)) },
	})
	out = dispatch.New(dispatch.Options{
		Spool: engine, Name: "node-1", Prepare: in.Prepare,
		Settings: dispatch.Settings{
			Router: table, Transports: map[string]transport.Transport{"discard": discard.Transport{}},
			MTA: "mx.sohu.example", Mailer: mailer,
		},
		Observe: func(e event.Entry) {
			if a, is := e.Event.(*event.Attempt); is {
				fmt.Println(a.To, a.Outcome.Fate, a.Outcome.Reply)
				close(done)
			}
		},
	})
	ran := make(chan error)
	go func() { ran <- out.Run(context.Background()) }()

	bob, _ := smtp.ParseMailbox("bob@sina.example")
	if _, err := in.Submit(context.Background(), intake.Submission{
		Source: mail.Source{Listener: "sendmail"},
		To:     []smtp.Rcpt{{To: bob}},
		Text:   strings.NewReader("Subject: hello\r\n\r\nIt rains.\r\n"),
	}); err != nil {
		fmt.Println(err)
	}
	<-done
	fmt.Println(out.Shutdown(context.Background()), <-ran)
	// Output:
	// bob@sina.example discarded 250 2.0.0 Discarded by route "away" (built in)
	// <nil> <nil>
}
