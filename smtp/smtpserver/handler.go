package smtpserver

import (
	"context"
	"io"

	"github.com/posthouse/posthouse/smtp"
)

// Handler decides what becomes of connections. Its methods are called from
// many connections at a time.
//
// Wherever a method of this package's interfaces returns an error, a negative
// [*smtp.Reply] is sent to the client as it is, if the code may answer the
// command ([smtp.Verb.Permits]); any other error is logged, and the client is
// told 451 and nothing of the reason. A panic ends its connection with 421.
type Handler interface {
	// NewSession is called for a new connection, before the greeting. An error
	// refuses the connection, with 421, 521 or 554; a reply with another code
	// keeps its text. The context ends with the connection.
	NewSession(ctx context.Context, c *Conn) (Session, error)
}

// Session is one connection. Its methods are called one at a time. It may also
// implement [HelloHandler], [Authenticator], [Verifier], [Expander], [Helper],
// [Turner], [XClientHandler] and [Commander].
type Session interface {
	// Mail begins a transaction (RFC 5321, 4.1.1.2). What the client asks for in
	// params is either offered by the server or absent.
	Mail(ctx context.Context, from smtp.Path, params *smtp.MailParams) (Transaction, error)

	// Close is called once, when the connection is at its end and every
	// transaction has had its own.
	Close()
}

// Transaction is one mail transaction. It ends with one call, of Data or of
// Abort, and is not used afterwards. It may also implement [EachTransaction].
type Transaction interface {
	// Rcpt names a recipient (RFC 5321, 4.1.1.3). A nil reply accepts it with
	// 250; a reply of 251 accepts and tells that the mail will be forwarded; an
	// error refuses it.
	Rcpt(ctx context.Context, to smtp.Path, params *smtp.RcptParams) (*smtp.Reply, error)

	// Data takes the text of the message, at least one recipient having been
	// accepted. The body is the text as it will be stored: dots unstuffed, lines
	// ended by CRLF (the last line of a text that came by BDAT may have none, and
	// BODY=BINARYMIME has no lines). It is also an [io.WriterTo].
	//
	// A client that sends its text by BDAT may ask for VRFY, EXPN, HELP or
	// unknown verbs between two chunks: the Session's methods for them are then
	// called while a read of body waits for the next chunk.
	//
	// Only when body has returned [io.EOF] is the text complete. Before that it
	// may end in an error: the connection was cut, the text is too large, or not
	// as it must be. Data may then not accept it, and should return that error.
	// With a nil error the message is ours: the reply says so (nil: a plain 250),
	// and responsibility for it has passed to this side (RFC 5321, 4.2.5).
	Data(ctx context.Context, body io.Reader) (*smtp.Reply, error)

	// Abort gives the transaction up: RSET, a new EHLO, QUIT, a lost connection.
	Abort()
}

// EachTransaction is a Transaction that can accept a message for some of its
// recipients, as LMTP (RFC 2033, 4.2) and PRDR let it.
type EachTransaction interface {
	// DataEach stands in for Data when the client understands a reply for each
	// recipient: it returns as many, in the order of the accepted recipients. A
	// nil one is a plain 250. An error stands for all of them.
	DataEach(ctx context.Context, body io.Reader) ([]*smtp.Reply, error)
}

// HelloHandler is a Session that wants to know how the client calls itself, or
// to refuse it. The Conn has the new name when it is called.
type HelloHandler interface {
	Hello(ctx context.Context, hello smtp.Hello) error
}

// Authenticator is a Session that lets clients log in (RFC 4954).
type Authenticator interface {
	// Mechanisms names the SASL mechanisms, in capitals, best first. Those that
	// show the password are not offered without TLS, whatever it returns, unless
	// [Server.PlaintextAuth] is set.
	Mechanisms() []string

	// Authenticate begins an exchange. The mechanism is one of Mechanisms.
	Authenticate(ctx context.Context, mechanism string) (SASL, error)
}

// SASL is the server's side of one exchange (RFC 4422).
type SASL interface {
	// Next takes the client's response (nil: there was none yet) and returns the
	// next challenge, or done. A challenge that comes with done is sent, and must
	// be answered with an empty line (RFC 4954, 4). An error that is no
	// [*smtp.Reply] is answered 535, and not logged, since it may tell secrets.
	Next(response []byte) (challenge []byte, done bool, err error)
}

// Verifier is a Session that answers VRFY. Without it, the answer is 252.
type Verifier interface {
	Verify(ctx context.Context, user string) (*smtp.Reply, error)
}

// Expander is a Session that answers EXPN. Without it, the answer is 502.
type Expander interface {
	Expand(ctx context.Context, list string) (*smtp.Reply, error)
}

// Helper is a Session that answers HELP. A nil reply leaves the answer to the
// server, which knows the syntax of each verb.
type Helper interface {
	Help(ctx context.Context, topic string) (*smtp.Reply, error)
}

// Turner is a Session that answers ETRN (RFC 1985).
type Turner interface {
	Turn(ctx context.Context, node string) (*smtp.Reply, error)
}

// XClientHandler is a Session that wants to know what a trusted proxy said.
// The Conn has the new values when it is called, and forgets them at STARTTLS.
type XClientHandler interface {
	XClient(ctx context.Context, attrs []smtp.XClientAttr) error
}

// Commander is a Session that knows verbs of its own. A nil reply is 500.
type Commander interface {
	Command(ctx context.Context, name, args string) (*smtp.Reply, error)
}
