// Package smtpclient is the asking end of SMTP and LMTP: it makes a connection
// and hands messages over, and says of each recipient what became of it.
//
// A [Dialer] makes a [Conn]: connect, greeting, EHLO, STARTTLS, AUTH. A Conn
// sends any number of messages, one after the other, with [Conn.Send]. A [Pool]
// keeps connections to one server for later use, and may be used from many
// goroutines. [SendMail] is for programs that used net/smtp.
//
// One message, over TLS with a certificate that is good for mx.example.org:
//
//	var dialer smtpclient.Dialer
//	conn, err := dialer.Dial(ctx, "tcp", "mx.example.org:25")
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	result, err := conn.Send(ctx, envelope, smtpclient.Bytes(text))
//	for _, outcome := range result.Recipients {
//		fmt.Println(outcome.To, outcome.Fate())
//	}
//
// What a server says to one recipient is a value and not an error: Send returns
// a [Result] with an [Outcome] for each recipient, and an error only when the
// connection cannot be used any more. Even then the Result holds all that is
// known. If the connection was lost between the end of the text and the
// server's answer, nobody knows whether the message was accepted, and the
// outcome is [ErrUnknownOutcome].
//
// The package looks up no MX record, decides nothing about TLS that it was not
// told, and never tries a recipient again; the one retry is that of a Pool
// whose idle connection turns out to be gone before a message was begun on it.
//
// Commands and replies are those of package smtp. It checks every value that goes
// into a command, so that none can smuggle in a command of its own.
package smtpclient
