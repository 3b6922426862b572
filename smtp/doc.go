// Package smtp is the words of SMTP and LMTP, in both directions, and the
// order in which they may be said. Everything that a client or a server says
// has a type here, with the parser and the printer side by side: a [Path], a
// [Command] with its parameters, a [Reply], the [Extensions] of an EHLO reply,
// and the text of a message between DATA and the final dot.
//
// The package opens no socket, starts no goroutine, reads no clock and decides
// nothing. To answer connections see package smtpserver; to make them see
// package smtpclient.
//
// A line comes in through a [Reader], a [Grammar] makes a [Command] of it, a
// [Dialogue] says whether it may come now, and whoever answers appends a
// [Reply]. On the other end the same types are appended and parsed the other
// way around.
//
// No value of this package can carry a CR or LF onto the wire, nor a path an
// unquoted '>': what comes from the other side is checked when it is parsed, and
// what a program builds is checked when it is printed.
//
// The standard is RFC 5321; each extension names its own RFC.
package smtp
