package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// A server that prints messages. In a program, ListenAndServe takes the place
// of what is here around the Handler.
func ExampleServer() {
	server := &smtpserver.Server{
		Hostname: "sina.com",
		Handler: smtpserver.HandlerFunc(func(_ context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
			fmt.Println("from", m.From, "to", m.To)
			_, err := io.Copy(unixLines{os.Stdout}, m.Body)
			return nil, err
		}),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	send(l.Addr().String(), "alice@sina.com")
	_ = server.Shutdown(context.Background())
	// Output:
	// from bob@sohu.com to [alice@sina.com]
	// Subject: Hello
	//
	// Hello, Alice.
}

// unixLines takes the CR from the lines of a message, for the example's output.
type unixLines struct{ w io.Writer }

func (u unixLines) Write(p []byte) (int, error) {
	_, err := io.WriteString(u.w, strings.ReplaceAll(string(p), "\r", ""))
	return len(p), err
}

func send(addr string, to ...string) {
	err := smtpclient.SendMail(addr, nil, "bob@sohu.com", to, []byte("Subject: Hello\r\n\r\nHello, Alice.\r\n"))
	if err != nil {
		fmt.Println("not sent:", err)
	}
}

// doorkeeper is a Handler with its own mind about recipients: it is its own
// Session and Transaction too, since it has nothing to remember.
type doorkeeper struct{}

func (d doorkeeper) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return d, nil
}

func (d doorkeeper) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return d, nil
}

func (d doorkeeper) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	if to.Local() != "alice" {
		return nil, smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "No %s here", to.Local())
	}
	return nil, nil
}

func (d doorkeeper) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	_, err := io.Copy(io.Discard, body)
	return &smtp.Reply{Code: smtp.CodeOK, Text: "Given to alice"}, err
}

func (d doorkeeper) Abort() {}
func (d doorkeeper) Close() {}

// A Handler that knows who lives here.
func ExampleHandler() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &smtpserver.Server{Handler: doorkeeper{}}
	go server.Serve(l)
	send(l.Addr().String(), "alice@sina.com")
	send(l.Addr().String(), "carol@sina.com")
	_ = server.Shutdown(context.Background())
	// Output:
	// not sent: carol@sina.com: 550 5.1.1 No carol here
}
