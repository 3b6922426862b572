package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// printer takes mail and prints it. It keeps nothing for a connection, so it is
// its own Session.
type printer struct{}

func (p printer) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return p, nil
}

func (printer) Mail(_ context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	return &printed{from: from}, nil
}

func (printer) Close() {}

// printed is one message on its way to be printed.
type printed struct {
	from smtp.Path
	to   []smtp.Path
}

func (p *printed) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	if to.Local() == "nobody" {
		return nil, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "No such user here")
	}
	p.to = append(p.to, to)
	return nil, nil
}

func (p *printed) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	text, err := io.ReadAll(body) // 50 MiB at most: Limits.MessageSize
	if err != nil {
		return nil, err // it was cut: nothing was received
	}
	fmt.Printf("from %s to %s: %q\n", p.from, p.to, text)
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "Printed"), nil
}

func (*printed) Abort() {}

// A server that prints mail, and a client that sends some. A program that only
// serves calls ListenAndServe.
func Example() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &smtpserver.Server{Handler: printer{}, Hostname: "sina.com"}
	go server.Serve(l)
	defer server.Close()

	text := []byte("Subject: Hello\r\n\r\nIt works.\r\n")
	err = smtpclient.SendMail(l.Addr().String(), nil, "bob@sohu.com", []string{"alice@sina.com", "nobody@sina.com"}, text)
	fmt.Println(err)
	// Output:
	// from bob@sohu.com to [alice@sina.com]: "Subject: Hello\r\n\r\nIt works.\r\n"
	// nobody@sina.com: 550 5.1.1 No such user here
}
