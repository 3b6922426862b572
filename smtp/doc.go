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
// On the answering end a line comes in through a [Reader], a [Grammar] makes a
// [Command] of it, a [Dialogue] says whether it may come now, and the [Reply] is
// printed with [Reply.Append]. On the asking end [AppendCommand] prints the
// Command, and [Reader.Reply] reads the Reply. The text of a message is written by
// a [DotWriter] and read by a [DotReader], or with BDAT by a [ChunkReader].
//
// What may be said, and what may answer it, are tables that a program can read:
// [Verbs], [Codes] and [EnhancedCodes].
//
// No value of this package can carry a CR or LF onto the wire, nor a path an
// unquoted '>': what comes from the other side is checked when it is parsed, and
// what a program builds is checked when it is printed.
//
// The standard is RFC 5321; each extension names its own RFC.
package smtp
