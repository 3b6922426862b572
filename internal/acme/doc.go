// Package acme gets certificates from an authority, and renews them in time (RFC 8555).
//
//	keeper, err := acme.Open(options)   // what was got before is there at once
//	go keeper.Run(ctx)                  // gets and renews until ctx ends
//	cert := keeper.Certificate(name)    // nil: there is none yet
//
// The authority wants to see that a name is ours before it vouches for it. It asks at
// port 80 (HTTP-01: [Keeper.ServeHTTP] answers) or at port 443 (TLS-ALPN-01, RFC 8737:
// [Keeper.Challenge] answers). Whoever listens there is not for this package to say; but it
// has to listen at the addresses that the options tell, before Run begins.
//
// A certificate is renewed when a third of its time is left, or when the authority asks
// for it (RFC 9773), as it does before it revokes one. What fails is tried again, after a
// minute at first and after six hours at last, until it is there; the certificate before
// serves as long as it is good.
//
// Certificates, their keys and the account are files below one directory, which must be
// closed to others (mode 0700); or in a store that several nodes share. Then one of them gets a
// certificate while the others wait, any of them answers the authority, and all show what
// came within a minute. Nodes wait together after a failure, too: authorities count the
// failures of all of them as one's.
package acme
