// Package smtpserver is the answering end of SMTP and LMTP: it keeps the
// dialogue in order, within its limits and its time, and hands each transaction
// to a [Handler].
//
// A server that takes every message, and does with it what deliver does:
//
//	server := &smtpserver.Server{
//		Hostname: "mx.example.org",
//		Handler: smtpserver.HandlerFunc(func(ctx context.Context, m *smtpserver.Message) (*smtp.Reply, error) {
//			return nil, deliver(m.From, m.To, m.Body)
//		}),
//	}
//	err := server.ListenAndServe(ctx, "127.0.0.1:2525")
//
// A connection passes through these files: admit.go admits it, greet.go greets
// and answers HELO and EHLO, conn.go reads its commands and sends them to the
// file that is named for their verb. A Handler makes a [Session] for the
// connection, the Session a [Transaction] for each MAIL, and each Transaction
// ends in exactly one of Data or Abort. Where only whole messages matter, a
// [HandlerFunc] is enough.
//
// The zero value of every option is safe: time, memory and connections are
// bounded, no password is asked for without TLS, and no extension is offered that
// needs the Handler to know of it.
package smtpserver
