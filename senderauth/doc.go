// Package senderauth holds what the standards of sender authentication share:
// where they ask the DNS ([Resolver]), the words they answer with ([Verdict]),
// and how the answers are written into a message (Authentication-Results,
// [Results]). The standards themselves are packages of their own, one each, and
// none needs another:
//
//   - senderauth/spf: may this client send for that domain (RFC 7208)?
//   - senderauth/dkim: who signed this message (RFC 6376, 8301, 8463)?
//   - senderauth/dmarc: do they speak for the domain in From (RFC 9989, 7489)?
//   - senderauth/arc: what did those say who forwarded it (RFC 8617)?
//   - senderauth/srs: a sender address that survives forwarding.
//
// DKIM and ARC also share tag lists ([ParseTagList]), canonical forms
// ([Canonicalization]), and key records ([ParseKey]); whoever writes a tool
// around them finds these here.
//
// The order in a server: spf at MAIL FROM; dkim and arc while the body streams
// past; dmarc from what the three said; then a [Results] field on top, after
// every field that claims to be ours was dropped ([ClaimsToBe]).
//
// None of the packages refuses mail, keeps state, or starts a goroutine.
// Everything that they read comes from strangers and is bounded: lookups,
// records, signatures, and the time for each is linear in what was read.
package senderauth
