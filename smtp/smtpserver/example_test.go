package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	netsmtp "net/smtp"
	"strings"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// printer is the smallest Handler: it takes every message and prints it.
type printer struct{}

func (printer) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return printer{}, nil
}

func (printer) Mail(_ context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	fmt.Println("from", from)
	return printer{}, nil
}

func (printer) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	fmt.Println("to", to)
	return nil, nil
}

func (printer) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err // the text did not come whole
	}
	fmt.Print(strings.ReplaceAll(string(text), "\r\n", "\n"))
	return &smtp.Reply{Code: smtp.CodeOK, Text: "Printed"}, nil
}

func (printer) Abort() {}
func (printer) Close() {}

// A server that prints messages.
func ExampleServer() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &smtpserver.Server{Hostname: "sina.com", Handler: printer{}}
	go server.Serve(l)

	err = netsmtp.SendMail(l.Addr().String(), nil, "bob@sohu.com", []string{"alice@sina.com"},
		[]byte("Subject: Hello\r\n\r\nHello, Alice.\r\n"))
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// from bob@sohu.com
	// to alice@sina.com
	// Subject: Hello
	//
	// Hello, Alice.
}
