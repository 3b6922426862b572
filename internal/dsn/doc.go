// Package dsn writes and reads delivery reports: the messages that tell a
// sender what became of another one (RFC 3464, in the frame of RFC 6522, with
// the fields that RFC 3461, 6.3 asks for, in UTF-8 by RFC 6533, marked by RFC
// 3834).
//
// A [Report] is what is told. [Write] makes a message of it: a first part in
// plain words, for somebody who has never heard of a mail server; a second one
// for programs; and the message that it is about, or its header. [Read] finds
// the same in a report that somebody else has written.
//
// Whether a report is owed at all is not decided here: see Outcome.Owes in
// package mail. That nothing is sent to the null sender is up to the caller too;
// Write refuses such a report, so that a mistake is seen.
package dsn
