// Package dkim verifies and makes DKIM signatures (RFC 6376, with RFC 8301 and
// RFC 8463): rsa-sha256 and ed25519-sha256, in both canonical forms.
//
// The body of a message is never held: it is written to a [Verifier] or
// a [Signer] while it streams past. To verify:
//
//	v := dkim.NewVerifier(header, dkim.VerifyOptions{})
//	io.Copy(v, body)
//	for _, res := range v.Results(ctx, resolver) { ... }
//
// or, if nothing else needs the message, [Verify]. To sign, with any number of
// keys at once, the same with [NewSigner] and [Signer.Fields], or [Sign].
//
// Messages are as in SMTP: lines end with CRLF, and nothing is dot-stuffed.
//
// What a signature proves is that its domain takes responsibility for the
// fields that it names and for the body, no more: whether that domain has to do
// with the one in From is what the package dmarc finds.
package dkim
