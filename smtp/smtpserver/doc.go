// Package smtpserver is the answering end of SMTP and LMTP: it keeps the
// dialogue in order, within its limits and its time, and hands each transaction
// to a [Handler].
//
// A connection passes through these files: server.go admits it, greet.go greets
// and answers HELO and EHLO, conn.go reads its commands and sends them to the
// file that is named for their verb. A Handler makes a [Session] for the
// connection, the Session a [Transaction] for each MAIL, and each Transaction
// ends in exactly one of Data or Abort. Where only whole messages matter, a
// [HandlerFunc] is enough.
//
// The zero value of every option is safe: what bounds time, memory and
// connections is finite, no password is asked for without TLS, and no extension
// is offered that the Handler may not know.
package smtpserver
