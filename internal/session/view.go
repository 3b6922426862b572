package session

import (
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// Direction says who has called.
type Direction uint8

// The directions.
const (
	In  Direction = iota + 1 // a client called us
	Out                      // we called a host
)

func (d Direction) String() string {
	switch d {
	case In:
		return "in"
	case Out:
		return "out"
	}
	return ""
}

// Speaker is who says a line.
type Speaker uint8

// The speakers.
const (
	Client Speaker = iota + 1 // commands
	Server                    // replies
	House                     // a remark of ours that is not said to anybody
)

// String prints "C", "S" and "-".
func (s Speaker) String() string {
	switch s {
	case Client:
		return "C"
	case Server:
		return "S"
	case House:
		return "-"
	}
	return ""
}

// Line is one line of a session, or what stands in the place of lines.
type Line struct {
	At   time.Time
	From Speaker
	// Text is the line without CRLF: printable, at most 1,024 octets of it, secrets
	// masked.
	Text string
	// Octets, if it is not 0, says that there is no line, but so much text of a message.
	Octets int64
	// Missed, if it is not 0, says that so many lines before the next one are not kept.
	Missed int64
}

// View is how a session stands.
type View struct {
	ID        uint64
	Direction Direction
	Name      string         // of the listener, or of the host that we called
	Peer      netip.AddrPort // the other side; invalid if it has no IP address
	Hello     string         // what a client calls itself
	State     State
	Started   time.Time
	Since     time.Time // of the last line or text
	Ended     time.Time // zero: it lives
	TLS       string    // "TLS 1.3 TLS_AES_128_GCM_SHA256"; "" without

	// From the other side, and from us: text counts in octets, and not in lines.
	LinesIn, LinesOut int64
	BytesIn, BytesOut int64

	Messages int       // that were accepted
	Last     string    // line
	LastFrom Speaker   // of Last
	Carried  []mail.ID // that came in by it, or were to go out: the last ones, of one that was asked for alone
	Failure  string    // the first refusal, or how it ended before its time; "": none
}

// State is how far a session is.
type State uint8

// The states.
const (
	Greeting State = iota // nothing was said but the greeting
	Hello                 // the client says who it is
	TLS                   // they go over to TLS
	Login                 // the client logs in
	Idle                  // the next message may begin
	Envelope              // sender and recipients of one
	Text                  // its text, up to the reply to it
	Closing               // QUIT was said
	Ended
)

var stateNames = [...]string{"greeting", "hello", "tls", "login", "idle", "envelope", "text", "closing", "ended"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}
