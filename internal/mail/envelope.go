package mail

import (
	"io"
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/smtp"
)

// Envelope is who sends a message to whom, how it came and what was asked for.
// It does not change once the message is committed; what becomes of each
// recipient is kept beside it.
type Envelope struct {
	ID      ID
	From    smtp.Path // null for reports
	To      []Recipient
	Arrived time.Time
	Size    int64 // octets of the content, prepended fields included
	Source  Source

	Body       smtp.Body // kind of octets; "" is 7-bit
	UTF8       bool      // SMTPUTF8 is needed (RFC 6531)
	RequireTLS bool      // RFC 8689
	Return     smtp.Return
	EnvID      string
	Priority   int         // -9 to 9, 0 by default (RFC 6710)
	HoldUntil  time.Time   // not to be tried before (RFC 4865); zero: at once
	By         time.Time   // deliver by (RFC 2852); zero: not asked
	ByMode     smtp.ByMode // what happens at By
	ByTrace    bool        // report relaying
	Hops       int         // Received fields that it came with
	Subject    string      // decoded and clipped, for people and the journal
	MessageID  string
}

// FromReport is the Source.Listener of reports that the house itself has made.
const FromReport = "report"

// Source is how a message came in.
type Source struct {
	Listener string         // name of the listener, "sendmail", "report", "forward"
	Client   netip.AddrPort // invalid if it came from inside
	Hello    string
	Protocol string // the word of RFC 3848: "ESMTPS"
	TLS      string // "TLS 1.3 TLS_AES_128_GCM_SHA256"; "" without
	Login    string // who logged in; "" for nobody
	// Session is the number of the session, while the house lives: it is in no record.
	// 0: there was none.
	Session uint64
}

// Recipient is one recipient of a message. Its index in Envelope.To is its
// name within the message.
type Recipient struct {
	To       smtp.Path  // final: aliases are expanded
	Original smtp.Path  // as it was given at RCPT
	ORcpt    smtp.ORcpt // RFC 3461, 4.2
	Notify   smtp.Notify

	// Into is what an alias in the form of Unix names in the place of somebody:
	// "|" and a command line, a file by its full path, or a Maildir with a slash
	// behind that. To is then the alias, and Origin its line. Else it is "".
	Into   string
	Origin Origin

	// Expanded: it is an alias, and those that it stands for are recipients of
	// their own. Nothing is sent for it but a report that tells so, since its
	// sender has asked for one (RFC 3461, 5.2.7.3 (c)).
	Expanded bool

	// Junk: policy wants the message out of the way of what he reads. It is the
	// transport's to say how.
	Junk bool
}

// Content is the text of a message: fields, empty line and body, lines ended by
// CRLF. It can be opened more than once.
type Content interface {
	Open() (io.ReadCloser, error)
	Size() int64 // octets
}

// InMemory is a [Content] whose octets are at hand: whoever carries it need not copy them.
type InMemory interface {
	Content
	Octets() []byte // must not be changed
}
