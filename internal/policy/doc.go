// Package policy is where mail may be refused, and how opinions combine. It is a
// contract: the packages below it (sender, dnsbl, greylist, ratelimit, milter) are
// its checks, one each. A check has an opinion and never answers a client; the room
// neither asks the DNS nor the network.
//
// A [Panel] is the checks that a listener asks, in order. Its [Hearing] follows one
// connection, and intake drives it:
//
//	h := panel.Open(v)                   // a connection begins
//	err := h.Connect(ctx, visit)         // an error ends it at once (421, 554)
//	err = h.Mail(ctx, visit)             // HELO is heard here too, when it has changed
//	err = h.Rcpt(ctx, visit, rcpt)       // with what was held against the client before
//	verdict, err := h.Data(ctx, visit, draft)
//	h.Reset()                            // the transaction is over, however
//	h.Close()                            // the connection is
//
// # How opinions combine
//
// At each stage the checks are asked in order, until one refuses ([Defer] or
// [Reject]) or wants the message thrown away. A refusal at CONNECT, HELO or MAIL waits for RCPT, where it is known whose mail
// it is, unless it is Firm. Each recipient's domain may have set how far policy goes at
// most ([Panel.AtMost]); so may the listener:
//
//   - at RCPT a recipient is refused if his limit allows it;
//   - at DATA the message is refused if the limits of all its recipients allow it, since one
//     reply is for all. Else those who would have had it refused get it as junk;
//   - it is junk for whom a check wanted it quarantined, and whose limit allows that.
//
// Mail to a postmaster is not refused for who brings it (RFC 5321, 4.5.1), but for
// what it says.
//
// At DATA each check sees the text as the checks before it have changed it. Fields that
// claim to be our Authentication-Results are gone by then (RFC 8601, 5); one of ours, with the
// Results of all checks, goes on top of what is taken.
//
// Every opinion that says something is kept in the [Verdict], or in the [Refusal], for the journal.
package policy
