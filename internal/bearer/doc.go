// Package bearer has the tokens by which we log in at relays that want OAuth 2 (RFC
// 6749): a [Source] fetches one from the provider, refreshes it before it is over, and
// knows when a person has to act.
//
// A person logs in once, by a code that is typed in on a web page (device flow, RFC
// 8628) or by an address that is taken over from the browser (RFC 8252), and the
// refresh token that comes of it is given to a [Keeper]. Programs log in by
// themselves (client credentials, RFC 6749, 4.4), and keep nothing.
//
// What a Source says of a failure ([Fault]) tells whether it passes. No error, log or
// status has a token in it.
package bearer
