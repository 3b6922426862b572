// Package transporttest is for the tests of transports. [Run] is the suite that
// each of them passes, [Dialogues] the one for those that speak SMTP or LMTP:
// every kind of reply at every stage, and a cut at each. [Check] holds the outcomes
// of any delivery against the contract. [Peer] is a server that answers as it is
// told and remembers what it took.
package transporttest
