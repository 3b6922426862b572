package smtpclient_test

import (
	"context"
	"log"
	"sync"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Many messages for one server, over three connections that are kept between
// messages.
func ExamplePool() {
	ctx := context.Background()
	pool := &smtpclient.Pool{Address: "mail.sohu.example:25", MaxConns: 3}
	from, _ := smtp.ParseMailbox("news@sohu.example")
	text := smtpclient.Bytes([]byte("From: news@sohu.example\r\nSubject: News\r\n\r\nNone.\r\n"))

	var all sync.WaitGroup
	for _, addr := range []string{"alice@sina.example", "carol@sina.example"} {
		to, err := smtp.ParseMailbox(addr)
		if err != nil {
			log.Println(err)
			continue
		}
		all.Go(func() {
			env := smtpclient.Envelope{From: from, To: []smtpclient.Recipient{{Path: to}}}
			result, err := pool.Send(ctx, env, text)
			if !result.Accepted() {
				log.Println(addr, result.Recipients[0].Err)
			}
			if err != nil {
				log.Println("the connection:", err)
			}
		})
	}
	all.Wait()
	_ = pool.Close(ctx)
}
