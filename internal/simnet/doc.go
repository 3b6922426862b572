// Package simnet is for tests: a network in memory, for one testing/synctest
// bubble. Hosts have names and addresses, listen and dial; what they say arrives
// after a while, and may be cut, held up or lost.
//
//	n := simnet.New(simnet.Options{Seed: 1})
//	mx := n.Host("mx", "192.0.2.1", "2001:db8::1")
//	client := n.Host("client", "198.51.100.7")
//	l, err := mx.Listen(ctx, "tcp", ":25")
//	conn, err := client.Dial(ctx, netip.Addr{}, "tcp", "192.0.2.1:25")
//
// # Time
//
// Everything takes time on the bubble's clock: what is written arrives after the
// [Weather.Latency] of its link, and so much later as its bandwidth says. Each link
// adds some nanoseconds of its own, so that what happens on two links does not
// happen at one instant, and the order of events is that of their times.
//
// # Chance
//
// Each link has a random stream of its own, from the seed, the names of its two ends,
// the address dialled, and the how manieth connection of these it is; the order in which
// links are made does not matter to it. Of dials from one host to one address at one
// instant nobody can say which is the first.
//
// # Trouble
//
// [Net.Between] sets the weather between two hosts; [Net.Cut] breaks a connection
// at an octet; [Net.Part] and [Net.Join] take a road away and give it back;
// [Host.Kill] ends the programs of a host, whose system says so to their peers, and [Host.Crash]
// the power, so that nobody says anything. A [Zone] answers DNS.
package simnet
