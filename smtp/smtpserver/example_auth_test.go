package smtpserver_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	netsmtp "net/smtp"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// submission takes mail of those who log in.
type submission struct{}

func (submission) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return &submitter{}, nil
}

// submitter is a connection and who is on it.
type submitter struct{ user string }

func (*submitter) Mechanisms() []string { return []string{"PLAIN"} }

// Authenticate leaves the exchange to a library whose servers are a SASL.
func (s *submitter) Authenticate(_ context.Context, _ string) (smtpserver.SASL, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "bob" || password != "secret" {
			return errors.New("wrong") // whatever it says, the client is told 535
		}
		s.user = user
		return nil
	}), nil
}

func (s *submitter) Mail(_ context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	fmt.Println(s.user, "sends as", from)
	return doorkeeper{}, nil
}

func (*submitter) Close() {}

// A server for those who log in. Without PlaintextAuth, which suits a test on
// this machine and nothing else, PLAIN is offered only under TLS.
func ExampleAuthenticator() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &smtpserver.Server{Handler: submission{}, RequireAuth: true, PlaintextAuth: true}
	go server.Serve(l)
	defer server.Close()

	for _, password := range []string{"", "guess", "secret"} {
		var auth netsmtp.Auth
		if password != "" {
			auth = netsmtp.PlainAuth("", "bob", password, "127.0.0.1")
		}
		err := smtpclient.SendMail(l.Addr().String(), auth, "bob@sohu.com", []string{"alice@sina.com"}, []byte("\r\nHello.\r\n"))
		fmt.Println("error:", err)
	}
	// Output:
	// error: alice@sina.com: 530 5.7.0 Authentication required
	// error: PLAIN: 535 5.7.8 Authentication credentials invalid
	// bob sends as bob@sohu.com
	// error: <nil>
}
