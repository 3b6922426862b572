// Package daemon builds the house from a configuration and runs it: the spool,
// the two desks, what carries mail, and the listeners.
//
//	house, err := daemon.New(ctx, cfg, daemon.World{Log: log})
//	go func() { done <- house.Run(ctx) }() // until ctx ends, or the spool fails
//	house.Reload(ctx, changed)             // all of it or nothing; no session is cut
//
// build.go is the one place where settings become rooms: each file beside it
// converts for one of them, and none of them keeps anything. What is outside of
// the house, the network, the DNS, files, programs and chance, is in a World, so
// that a test can put a house into a world of its own.
//
// # The end
//
// When its context ends the house stops listening, lets the sessions and then the
// deliveries come to their end, at most LastWords in all, gives what is left back to the spool,
// and closes it. When a write to the spool has failed it does the same, while
// every client is told 451, and Run returns an error that wraps [spool.ErrFailed]: the
// next start finds the disk as it was before the failure.
package daemon
