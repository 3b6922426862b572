package smtpserver

import (
	"cmp"
	"time"
)

// Limits bound what a client can make the server do. A zero field is the
// default; a negative one is no limit. Times may be exceeded by a sixteenth.
type Limits struct {
	MessageSize int64 // octets of a message; default 50 MiB
	TextLine    int   // octets of a text line with CRLF; default none: RFC 5321 says 1000, and real mail exceeds it
	Recipients  int   // of a transaction; default 1000, never below 100 (RFC 5321, 4.5.3.1.8)
	Messages    int   // transactions of a session; default none, since a kept connection costs little
	Errors      int   // commands refused for good (5yz) that end the session with 421, since the last message; default 20

	Connections int // at a time; default 10000
	PerAddress  int // at a time from one IPv4 address or IPv6 /64; default 100

	Idle      time.Duration // until a command is complete; default 5 min (RFC 5321, 4.5.3.2.7)
	DataIdle  time.Duration // without an octet of the text; default 3 min
	Session   time.Duration // of a connection, looked at between commands; default 4 h
	Handshake time.Duration // of TLS, and of PROXY's header; default 30 s

	// DataRate is the lowest rate of text, in octets a second, reckoned over
	// what has come so far and only over time spent waiting for the client, from
	// DataGrace on; default 100 and 3 min.
	DataRate  int64
	DataGrace time.Duration

	// Discard bounds the octets of a session that are read only to be thrown
	// away: BDAT chunks of a failed transaction, text behind what made it
	// refused; default 4 times MessageSize. Beyond it the connection is closed.
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
