// Package idtoken says whose a token is that somebody bears: a JWT (RFC 7519) that an issuer
// has signed. It is looked at in this order: that it is a JWT, signed by one of the
// algorithms RS256, ES256 and EdDSA; that a key of the issuer signed it; its issuer, its
// audience and its time; and the claim that names the account.
//
// The keys of an issuer (RFC 7517) are a file, or fetched from its server. They are fetched
// again when they are old, and when a token names one that is not known, but never twice in a
// minute: whoever makes up tokens does not make us ask.
package idtoken
