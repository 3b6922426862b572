// Package house is for tests: a mail world in one testing/synctest bubble. Real
// houses (internal/daemon) stand on a simulated network (internal/simnet), some with a simulated
// disk (internal/simdisk), among model peers and clients, and an [Account] holds what
// everybody got against what was promised, after every event.
//
// A [World] is made of parts: a [House] is one of ours, and outlives its power cuts by
// its [Store]; a [Peer] is a mail server of somebody else. It speaks SMTP by the same
// rules as ours (smtp/smtpserver), but decides as its [Manners] say: it greylists,
// limits rates, is slow, has full mailboxes, or lies.
//
// These worlds are played:
//
//   - a [Town] is a road of three houses that clients send letters along, while roads break,
//     hosts lose power and configurations change. One seed tells one story, whose lines
//     have one sum ([World.Hash]), whatever order goroutines run in: no two deliveries
//     begin at one instant, each link and each datagram has chances of its own.
//   - a Town may also be a cluster: nodes that share a [Base], which is a model of a
//     database, while nodes die, sleep past their leases and go on, lines break in the middle
//     of calls, and primaries fail.
//   - a [Journey] is the short life of one house on a disk that stops before an
//     operation, and what the next life makes of it; one of mail within one machine has Maildirs and
//     a drop directory on that disk, too. A [CallJourney] dies of a call to a base.
//
// Who would take TLS away from the road between a house and a stranger is played in
// stories of their own, where both have certificates ([World] has the Roots).
//
// Where to look when something goes wrong: make sim SEED=N tells the story.
package house
