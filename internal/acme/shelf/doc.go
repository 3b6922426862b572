// Package shelf keeps what an authority gives (accounts, certificates, their keys, and the
// challenges that are under way) in the states of a spool, so that all nodes of a cluster have
// the same: one orders a certificate, any of them answers the challenge, and all show it.
//
//	store := shelf.New(shelf.Options{States: engine, Key: sealKey})
//
// It is a [certmagic.Storage], and holds what one on files does: the same suite runs over both.
//
// With a key everything is sealed, and who reads the database reads no private key. What was
// kept before there was a key stays readable, and is sealed when it is next written.
//
// A lock is a state that its holder renews. Who waits for one takes it when it has not changed
// for a while by his own clock: a node that died holds nothing for longer than that, and
// clocks of nodes need not agree.
package shelf
