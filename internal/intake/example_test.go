package intake_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// A desk for the network and for the programs of this host. What it hands on is
// only counted here.
func Example() {
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	desk := intake.New(intake.Options{
		Hostname: "mx.sohu.example", Spool: engine, Directory: directory.Directory(people{}),
		Arrived: func(intake.Arrival) { fmt.Println("one has arrived") },
		Observe: func(e event.Entry) { fmt.Printf("%T\n", e.Event) },
	})
	server := &smtpserver.Server{Handler: desk.Listener("mx"), Hostname: "mx.sohu.example", Offer: intake.Offers}
	defer server.Close() // and go server.Serve(listener)

	ann, _ := smtp.ParseMailbox("ann@sohu.example")
	zoe, _ := smtp.ParseMailbox("zoe@sohu.example")
	done, err := desk.Submit(context.Background(), intake.Submission{
		Source: mail.Source{Listener: "sendmail"}, From: ann, To: []smtp.Rcpt{{To: ann}, {To: zoe}},
		Text: strings.NewReader("Subject: hello\r\n\r\nIt rains.\r\n"),
	})
	fmt.Println(len(done.Refused), "refused:", done.Refused[0].Reply)
	fmt.Println(err)
	// Output:
	// *event.Refused
	// *event.Accepted
	// one has arrived
	// 1 refused: 550 5.1.1 Nobody is known here by the name <zoe@sohu.example>
	// <nil>
}
