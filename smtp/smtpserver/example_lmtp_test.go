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

// store delivers into mailboxes, of which one is full.
type store struct{}

func (s store) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return s, nil
}

func (store) Mail(context.Context, smtp.Path, *smtp.MailParams) (smtpserver.Transaction, error) {
	return &delivery{}, nil
}

func (store) Close() {}

// delivery accepts a message for some of its recipients.
type delivery struct{ to []smtp.Path }

func (d *delivery) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	d.to = append(d.to, to)
	return nil, nil
}

// Data is not called: whoever speaks LMTP is answered for each recipient.
func (d *delivery) Data(ctx context.Context, body io.Reader) (*smtp.Reply, error) {
	_, err := d.DataEach(ctx, body)
	return nil, err
}

func (*delivery) Abort() {}

func (d *delivery) DataEach(_ context.Context, body io.Reader) ([]*smtp.Reply, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	replies := make([]*smtp.Reply, len(d.to)) // nil: 250
	for i, to := range d.to {
		if to.Local() == "full" {
			replies[i] = smtp.Replyf(smtp.CodeExceededStorage, smtp.EnhancedCode{5, 2, 2}, "Mailbox is full")
		}
	}
	return replies, nil
}

// An LMTP server, where the text gets an answer for each recipient.
func ExampleEachTransaction() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &smtpserver.Server{Handler: store{}, LMTP: true}
	go server.Serve(l)
	defer server.Close()

	ctx := context.Background()
	dialer := smtpclient.Dialer{LMTP: true, TLS: smtpclient.TLSNever}
	conn, err := dialer.Dial(ctx, "tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var env smtpclient.Envelope // from nobody: a report
	for _, addr := range []string{"alice@sina.com", "full@sina.com"} {
		to, err := smtp.ParseMailbox(addr)
		if err != nil {
			log.Fatal(err)
		}
		env.To = append(env.To, smtpclient.Recipient{Path: to})
	}
	result, err := conn.Send(ctx, env, smtpclient.Bytes([]byte("\r\nHello.\r\n")))
	for _, o := range result.Recipients {
		fmt.Println(o.To, o.Err)
	}
	fmt.Println(err)
	// Output:
	// alice@sina.com <nil>
	// full@sina.com 552 5.2.2 Mailbox is full
	// <nil>
}
