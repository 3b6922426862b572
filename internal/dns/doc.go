// Package dns is the questions that mail asks of the DNS: where a domain takes
// its mail (MX), the addresses of a host (A, AAAA), what a domain says of itself
// (TXT), the names of an address (PTR) and the certificate of a service (TLSA).
//
// A [Resolver] answers them with an [Answer]: records of one type, checked and
// bounded, and whether they were authenticated by DNSSEC. Names are a type of
// their own, [Name], which only [ParseName] makes: whatever a zone holds, it
// cannot carry a space, a line end or a slash into a command, a path or a log.
//
// The package opens no socket. Package dnsclient asks a resolver over the
// network; package dnstest answers from a zone that a test wrote down.
package dns
