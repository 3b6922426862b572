// Package house is for tests: a mail world in one testing/synctest bubble. Real
// houses (internal/daemon) stand on a simulated network (internal/simnet) among
// model peers, each with manners of its own, and a [Ledger] holds what everybody
// got against what was promised.
//
// A [Peer] is a mail server of somebody else. It speaks SMTP by the same rules as ours
// (smtp/smtpserver), but decides as its [Manners] say: it greylists, limits rates, is
// slow, has full mailboxes, or lies.
package house
