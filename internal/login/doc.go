// Package login is the door for those who submit mail: it knows the mechanisms by
// which they show who they are (RFC 4422), and how often somebody may fail.
//
//	door := login.New(login.Options{Accounts: accounts, Memory: engine, Book: book})
//	x := door.Begin(ctx, "PLAIN", login.Visitor{Client: addr, TLS: state})
//	challenge, done, err := x.Next(response) // as smtpserver.SASL
//	x.Account()                              // once it is done
//
// An exchange goes in this order: the mechanism reads a name; the [Book] says whether its
// account, from this network, has failures left; the directory says whether the password is
// right; and the Book is told.
//
// # How often somebody may fail
//
// Failures are counted, and forgotten with time, for an account from a network (one IPv4
// address or IPv6 /64), for a network, for an IPv6 /48, and for an account from all networks
// from which it has not logged in before. Who is out of failures is told 454 before
// anything is looked at: the right password does not help him then, so that there is
// nothing to be guessed. Names that nobody has are counted like all others.
//
// A network from which an account has logged in is remembered for [Remembered]. From there
// only what fails there counts, and far more of that is allowed: whatever strangers do
// elsewhere, nobody is locked out of his own house.
package login
