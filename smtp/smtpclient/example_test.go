package smtpclient_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// A message for two people, over TLS with a good certificate and with the best
// mechanism that the server offers for a password.
func Example() {
	ctx := context.Background()
	dialer := smtpclient.Dialer{
		LocalName: "laptop.sohu.example",
		Auth:      &smtpclient.Auth{Username: "bob", Password: os.Getenv("PASSWORD")},
	}
	conn, err := dialer.Dial(ctx, "tcp", "mail.sohu.example:587")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	from, _ := smtp.ParseMailbox("bob@sohu.example")
	alice, _ := smtp.ParseMailbox("alice@sina.example")
	carol, _ := smtp.ParseMailbox("carol@sina.example")
	env := smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: alice}, {Path: carol}}}
	text := "From: bob@sohu.example\r\nTo: alice@sina.example\r\nSubject: Hello\r\n\r\nHello.\r\n"

	res, err := conn.Send(ctx, env, smtpclient.Bytes([]byte(text)))
	for _, o := range res.Recipients {
		switch o.Fate() {
		case smtpclient.Accepted:
			fmt.Println(o.To, "accepted:", o.Reply.Text)
		case smtpclient.Permanent:
			fmt.Println(o.To, "refused:", o.Err)
		case smtpclient.Temporary:
			fmt.Println(o.To, "not now:", o.Err)
		case smtpclient.Unknown:
			fmt.Println(o.To, "nobody knows:", o.Err)
		}
	}
	if err == nil {
		_ = conn.Quit(ctx)
	}
}
