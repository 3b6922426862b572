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
// [*smtp.Reply] is sent to the client as it is, if its code may answer the
// command ([smtp.Verb.Permits]). Any other error is logged, and the client gets a
// 451 that does not tell the reason. A panic ends its connection with 421.
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

	// Close is called once, when the connection is over and its last transaction
	// has ended.
	Close()
}

// Transaction is one mail transaction. It ends with one call, of Data or of
// Abort, and is not used afterwards. It may also implement [EachTransaction].
type Transaction interface {
	// Rcpt names a recipient (RFC 5321, 4.1.1.3). A nil reply accepts it with
	// 250; a reply of 251 accepts it and says that the mail will be forwarded; an
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
	// Only when body has returned [io.EOF] is the text complete. It may end in
	// another error instead: the connection was cut, or the text is too large or
	// malformed. Data must not accept the text then, and should return that error.
	//
	// A nil error accepts the message: from then on this side is responsible for
	// it (RFC 5321, 4.2.5). The reply is what the client is told; nil is a plain
	// 250.
	Data(ctx context.Context, body io.Reader) (*smtp.Reply, error)

	// Abort gives the transaction up: RSET, a new EHLO, QUIT, a lost connection.
	Abort()
}

// EachTransaction is a Transaction that can accept a message for some of its
// recipients, as LMTP (RFC 2033, 4.2) and PRDR let it.
type EachTransaction interface {
	// DataEach stands in for Data when the client understands a reply for each
	// recipient. It returns one for each accepted recipient, in their order; a
	// nil one is a plain 250. An error refuses the message for all of them.
	DataEach(ctx context.Context, body io.Reader) ([]*smtp.Reply, error)
}

// HelloHandler is a Session that is told what the client calls itself, each time
// that it says HELO, EHLO or LHLO, and that may refuse the name with an error.
// [Conn.Hello] is the new name already.
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
	// Next takes the client's response, nil if there was none yet, and returns the
	// next challenge, or done when the client has proved who it is. A challenge
	// returned with done is sent, and the client must answer it with an empty line
	// (RFC 4954, 4). An error refuses the client: with 535 unless it is a
	// [*smtp.Reply]. It is not logged, since it may hold secrets.
	Next(response []byte) (challenge []byte, done bool, err error)
}

// Verifier is a Session that answers VRFY (RFC 5321, 3.5). The user is what the
// client asked about: a user name or a mailbox. A nil reply is 252, and so is the
// answer of a Session without this method.
type Verifier interface {
	Verify(ctx context.Context, user string) (*smtp.Reply, error)
}

// Expander is a Session that answers EXPN (RFC 5321, 3.5). A nil reply is 252. A
// Session without this method has the server answer 502.
type Expander interface {
	Expand(ctx context.Context, list string) (*smtp.Reply, error)
}

// Helper is a Session that answers HELP. A nil reply leaves the answer to the
// server, which knows the syntax of each verb.
type Helper interface {
	Help(ctx context.Context, topic string) (*smtp.Reply, error)
}

// Turner is a Session that answers ETRN (RFC 1985): it has the mail that is
// queued for a node sent now. A nil reply is 250.
type Turner interface {
	Turn(ctx context.Context, node string) (*smtp.Reply, error)
}

// XClientHandler is a Session that is told what a trusted proxy says of its
// client with XCLIENT, and that may refuse it with an error. The Conn has the new
// values already, and forgets them at STARTTLS.
type XClientHandler interface {
	XClient(ctx context.Context, attrs []smtp.XClientAttr) error
}

// Commander is a Session that knows verbs of its own. It is asked about each verb
// that package smtp does not know. A nil reply is 500.
type Commander interface {
	Command(ctx context.Context, name, args string) (*smtp.Reply, error)
}

// Speaker is a Session that may accept in its own words: Speak is asked about each positive reply
// to a verb before it is sent. What it returns stands in for it, if its code is of the same hundred
// and may answer the verb; nil leaves it as it is. The server's name, with which some replies
// begin, and the extensions of EHLO stay where they are.
type Speaker interface {
	Speak(v smtp.Verb, r *smtp.Reply) *smtp.Reply
}
