package smtpclient_test

import (
	"errors"
	"fmt"
	"net/smtp"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// A program that used net/smtp changes one word, and can tell who has not got
// the message.
func ExampleSendMail() {
	login := smtp.PlainAuth("", "bob", "secret", "mail.sohu.example")
	to := []string{"alice@sina.example", "carol@sina.example"}
	text := "From: bob@sohu.example\r\nTo: alice@sina.example\r\nSubject: Hello\r\n\r\nHello.\r\n"

	err := smtpclient.SendMail("mail.sohu.example:587", login, "bob@sohu.example", to, []byte(text))
	var refused *smtpclient.RecipientsError
	switch {
	case errors.As(err, &refused):
		for _, o := range refused.Outcomes {
			fmt.Println(o.To, "has not got it:", o.Err)
		}
	case err != nil:
		fmt.Println("not sent:", err)
	}
}
