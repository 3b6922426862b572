// Package intake is the desk that takes mail in, and the only door to the spool:
// from the network, from programs on this host, and from this house when it has
// to report on a delivery.
//
// A [Desk] is the handler of an smtpserver:
//
//	desk := intake.New(intake.Options{Hostname: "mx.sohu.example", Spool: engine, Directory: dir, ...})
//	server := &smtpserver.Server{Handler: desk.Listener("mx"), Offer: intake.Offers, ...}
//
// # One transaction
//
//	MAIL  policy may refuse; a draft is begun, so that a full disk is told now (452)
//	RCPT  the directory says who it is: its final recipients, or why not. Mail
//	      for others is taken from listed networks, or from who has logged in
//	DATA  the text streams into the draft; its header is looked at as it goes by
//	.     loops are refused, policy has its last word, and Commit makes it ours
//
// People's programs come to [Desk.Submissions] instead of [Desk.Listener]: they log in, send
// as themselves only, and what they forget in a message is mended (RFC 6409).
//
// Programs on this host come in by [Desk.Submit], and reports by [Desk.Prepare],
// on the same way. Package dispatch has an example with both desks.
//
// Only a Commit without error leads to a 250; its text names the message. What is
// committed is handed on with the lease that was born with it, and with its text
// if that is small.
package intake
