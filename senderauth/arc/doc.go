// Package arc verifies and extends the Authenticated Received Chain (RFC 8617):
// what those who forwarded a message say they saw when it came to them.
//
// A chain that passes proves who said it, not that it is true. It is worth
// something only from sealers that the receiver trusts: [Result.Vouched].
//
// The body of a message is never held: it is written to a [Verifier] or
// a [Sealer] while it streams past. Messages are as in SMTP: lines end with
// CRLF, and nothing is dot-stuffed. The order in a forwarder: verify the chain
// as the message came; change the message if it must be; sign it with DKIM; then
// seal it as it leaves.
package arc
