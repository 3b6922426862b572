// Package sender is the check of who sends: whether the client may use the sender's
// domain (SPF), who signed the message (DKIM), whether either speaks for the author that
// people see (DMARC), and what those say who forwarded it (ARC).
//
// What is found goes into Authentication-Results, whatever comes of it. Only DMARC refuses: a message
// that was forwarded fails SPF, and one from a mailing list DKIM, through no fault of
// their own.
//
//	MAIL  the name of the client (iprev), and SPF of HELO and of the sender
//	.     the body streams once through DKIM and ARC; then DMARC joins what was found
//
// Mail of the trusted, and of this machine, is not asked about.
package sender
