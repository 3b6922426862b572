// Package directory says who lives here: which addresses are mailboxes of ours,
// which are aliases and of whom, who has moved, and whom nobody knows.
//
// A [Directory] answers for the desk that takes mail in, at RCPT:
//
//	r, err := dir.Lookup(ctx, path)
//	switch {
//	case err != nil:              // 451: it could not be found out now
//	case r.Kind == directory.NotOurs: // the desk's rules for relaying decide
//	case r.Reply() != nil:        // 251, 550 or 551: this is what to say
//	}
//	for _, t := range r.To { ... }  // the recipients of the envelope
//
// Aliases are expanded here and now, to the last: the spool holds final
// recipients. [Verify] and [Expand] make the replies to VRFY and EXPN out of the
// same answers; whether a peer may ask at all is for the desk to say.
//
// The engines are folders of this one and pass the suite of directorytest.
package directory
