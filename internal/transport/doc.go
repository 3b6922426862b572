// Package transport is the contract of what carries a message one hop: to the
// host that its recipients' domain names (remote), to a mailbox (lmtp, maildir), to
// a program (pipe), or to nowhere (discard).
//
// A [Transport] gets a [Delivery], a message and those of its recipients that go
// the same way, and returns one [mail.Outcome] for each of them: always, whatever
// happens. It does not retry, schedule or touch the spool; whoever called it does,
// by what the outcomes say. One that also is a [Planner] can tell beforehand where
// it would go.
//
// What a reply or a broken connection means is decided in one place, by [Classify]
// and [Unreached]. A [Sheet] keeps the outcomes of a delivery that is under way and
// makes sure that none is missing. Package transporttest has the suite that every
// transport passes.
package transport
