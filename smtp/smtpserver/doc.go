// Package smtpserver is the answering end of SMTP and LMTP: it keeps the
// dialogue in order, within its limits and its time, and hands each transaction
// to a [Handler].
//
// A connection passes through these files: server.go admits it, greet.go greets
// and answers HELO and EHLO, conn.go reads its commands and sends them to the
// file that is named for their verb. A Handler makes a [Session] for the
// connection, the Session a [Transaction] for each MAIL, and each Transaction
// ends in exactly one of Data or Abort.
//
// The zero value of every option is safe, and so are the limits on memory and
// time that it stands for: they are finite.
package smtpserver
