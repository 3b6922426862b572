package smtpclient_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// written is a message that is written while it is sent.
type written struct{ *message.Message }

func (w written) Open() (io.ReadCloser, error) {
	r, pipe := io.Pipe()
	go func() {
		_, err := w.WriteTo(pipe)
		pipe.CloseWithError(err)
	}()
	return r, nil
}

func (written) Size() int64 { return -1 }

// A message with a file, however large, that is never in memory whole.
func ExampleBody() {
	ctx := context.Background()
	m := &message.Message{
		From:        []message.Address{{Name: "Bob", Addr: "bob@sohu.example"}},
		To:          message.AddressList{message.Address{Addr: "alice@sina.example"}},
		Subject:     "The film",
		Text:        "Here it is.",
		Attachments: []message.Attachment{message.File("film.mkv")},
	}
	var env smtpclient.Envelope
	env.Mail.Body = smtp.Body7Bit // so it is composed; nobody need read it through before
	env.From, _ = smtp.ParseMailbox("bob@sohu.example")
	for _, addr := range m.Recipients() {
		to, err := smtp.ParseMailbox(addr)
		if err != nil {
			log.Fatal(err)
		}
		env.To = append(env.To, smtpclient.Recipient{Path: to})
	}
	conn, err := new(smtpclient.Dialer).Dial(ctx, "tcp", "mail.sohu.example:25")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	result, err := conn.Send(ctx, env, written{m})
	fmt.Println(result.Accepted(), err)
}
