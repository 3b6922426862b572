package smtpserver

import (
	"cmp"
	"time"
)

// Limits bound what a client can make the server do. Zero stands for the default
// and a negative value for no limit. The server may act up to a sixteenth of a
// time later than the time is over: exact deadlines would cost a system call for
// each command.
type Limits struct {
	MessageSize int64 // octets of a message; default 50 MiB
	TextLine    int   // octets of a text line with CRLF; default none: RFC 5321 says 1000, real mail has more
	Recipients  int   // of a transaction; default 1000, never below 100 (RFC 5321, 4.5.3.1.8)
	Messages    int   // transactions of a session; default none, since a kept connection costs little
	Errors      int   // replies 5yz since the last accepted message; the last is followed by 421; default 20

	// Connections is how many there may be at a time; default 10000. When there are as
	// many and another comes, those that have kept the server waiting for a command for 10 s
	// are told 421, and make room for it.
	Connections int
	PerAddress  int // at a time from one IPv4 address or IPv6 /64; default 100

	Idle      time.Duration // until a command is complete; default 5 min (RFC 5321, 4.5.3.2.7)
	DataIdle  time.Duration // without an octet of the text; default 3 min
	Session   time.Duration // a connection as a whole, whatever it does; default 4 h
	Handshake time.Duration // the TLS handshake, and the PROXY header; default 30 s

	// DataRate is the lowest rate, in octets a second, at which a client may send
	// a text. For each text the server waits DataGrace in all, and a second more
	// for every DataRate octets that have come; the time that the Handler takes
	// does not count. Defaults: 100 octets a second and 3 min.
	DataRate  int64
	DataGrace time.Duration

	// Discard bounds the octets that a session may have read only to be thrown
	// away: what follows the fault in a refused text, and BDAT chunks of a failed
	// transaction. Beyond it the connection is closed. Default: 4 times
	// MessageSize.
	Discard int64
}

const (
	// none stands for "no limit" once the defaults are filled in.
	none = 0
	// maxOctets keeps sums of octets from overflowing.
	maxOctets = 1 << 60
)

func (l Limits) withDefaults() Limits {
	l.MessageSize = min(limit(l.MessageSize, 50<<20), maxOctets)
	l.TextLine = limit(l.TextLine, none)
	l.Recipients = limit(l.Recipients, 1000)
	if l.Recipients != none {
		l.Recipients = max(l.Recipients, 100)
	}
	l.Messages = limit(l.Messages, none)
	l.Errors = limit(l.Errors, 20)
	l.Connections = limit(l.Connections, 10000)
	l.PerAddress = limit(l.PerAddress, 100)
	l.Idle = limit(l.Idle, 5*time.Minute)
	l.DataIdle = limit(l.DataIdle, 3*time.Minute)
	l.Session = limit(l.Session, 4*time.Hour)
	l.Handshake = limit(l.Handshake, 30*time.Second)
	l.DataRate = limit(l.DataRate, 100)
	l.DataGrace = limit(l.DataGrace, 3*time.Minute)
	l.Discard = min(limit(l.Discard, 4*l.MessageSize), maxOctets)
	return l
}

// limit returns the limit that a field stands for.
func limit[T cmp.Ordered](v, byDefault T) T {
	var zero T
	switch {
	case v == zero:
		return byDefault
	case v < zero:
		return zero
	}
	return v
}
