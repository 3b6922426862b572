// Package queue decides when which recipients are tried, and what the outcome
// of a try means. It is pure: it opens nothing, starts nothing, reads no clock
// and keeps nothing but memory. Given the same calls it says the same, whatever
// the order of Go's maps; chance comes from a seed. So a night of a mail system
// can be written down and played again; testdata has such stories.
//
// Enter here to learn how mail is scheduled. To carry it see package transport,
// to keep it package spool; package dispatch joins the three.
//
// # Steps
//
// One goroutine owns a [Schedule] and drives it:
//
//   - [Schedule.Add] brings in what arrived or was leased from the spool, with
//     the hop that the route gave and the site that the transport's plan knows.
//     What it refuses goes back to the spool.
//   - [Schedule.Next] returns the deliveries to start now, and decisions that
//     time alone makes (a delay to be told of, an expiry).
//   - [Schedule.Settle] turns the outcomes of one delivery into one [Decision].
//   - [Schedule.Withdraw], [Schedule.Bounce] and [Schedule.RetryNow] carry out an
//     operator's order.
//   - [Schedule.Want] says what to lease from the spool when there is room.
//   - Where limits hold for several schedules together ([Options].Shared), [Schedule.Asks] says
//     what to ask of whoever divides them, and [Schedule.Grant] takes the answers.
//   - [Schedule.Wake] says when to call Next again if nothing happens before.
//     Call it also after each Add and Settle and each order, or some of them.
//
// Each Decision is recorded in the spool in one batch, with the reports that it
// owes. Its recipients have left the window, and come back by Add once that is done.
//
// # What holds for every recipient
//
//   - It is in the window at most once, and in at most one delivery at a time.
//   - Each Add that is not refused, and each delivery that is settled, ends in
//     a Change: done with, or to come back at Again. Only Withdraw says nothing.
//   - It is not tried before its State.Next, nor before its message's Hold,
//     unless an operator says so.
//   - A try counts if the other side was asked or refused to talk of this
//     recipient; not if a limit of ours or a host that is down cut it short.
//   - Its sender hears at most once of the delay and at most once that By has
//     passed, and of its end, as NOTIFY says; never if the sender is null.
//   - If it is not delivered it expires, at the instant Route.Expire or By says,
//     also when its destination is down. Only one in flight gets to its end
//     first.
//
// # Who comes first
//
// Limits stand at the house, at each route, at each site (the MX operator) and
// at each destination; a delivery counts at all four. At each of them those who
// could start take turns, and below the destination so do the senders. Of
// those who wait the higher priority goes first, but every eighth turn is that
// of the priority which has waited longest. A place that comes free in a full
// house goes to the same site again, up to eight times, so that its connection is
// used again. Whatever another destination or sender does, nobody waits
// for more than their turns.
//
// # The window
//
// The schedule holds at most Options.Window recipients. One destination may have
// a tenth of it; where many want more each has less, and some room is always
// left for the next. Deferred mail goes back to the spool, to be had back at
// Change.Again: so what is in the window waits for its turn, and no record is kept
// in two places. The memory of destinations without mail is bounded too.
//
// # Cost
//
// Add, Next and Settle take O(log n) for each recipient, where n is what is in
// the window. A destination that is at its limit, shut, or has nothing due is not
// looked at. Want looks at each destination that has mail in the window.
package queue
