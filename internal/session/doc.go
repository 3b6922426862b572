// Package session knows who speaks SMTP with the house at this moment, in both
// directions, and what is said: for whoever wants to see why a session hangs, to read
// along, or to cut it. The last ones that failed are kept with all their lines, so that
// nobody has to turn on debugging and wait for it to happen again.
//
//	r := session.New(session.Options{})
//	server := &smtpserver.Server{NextID: r.NextID, Trace: r.Inbound("mx"), ...}
//	dialer := &smtpclient.Dialer{Trace: r.Outbound, ...}
//	for _, v := range r.List() { ... }
//
// What comes in are the traces of smtpserver and smtpclient, in which secrets are
// masked and the text of messages is only counted. A line is copied into a ring of the
// session, which is used again after it: keeping sessions costs no memory a line, and the
// memory of all of them is bounded, whatever is said. Nobody who reads can hold a
// session up: a [Follower] that is too slow misses lines, and is told how many.
package session
