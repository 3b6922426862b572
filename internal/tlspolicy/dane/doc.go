// Package dane is what a host says of its certificate in signed records of the DNS
// (DANE for SMTP, RFC 7672): a [tlspolicy.Source] that asks for TLSA records.
//
// Only what is signed counts, all the way: where the domain's mail goes, the addresses
// of the host, and its TLSA records. That is for the resolver to validate. If one of the
// first two is not signed, no TLSA record is asked for. If the records are denied with a
// signature, or not signed themselves, nothing is demanded. If they are forged, or no answer comes, the host
// is not used: whoever can hold back an answer must not be able to take away security.
//
// Of signed records those count that RFC 7672, 3.1, knows: usage 2 (a certificate that
// vouches for the host's) and 3 (the host's own); of each kind with a digest only the strongest
// (RFC 7671, 9). If there are records, but none that counts, there must be TLS with any certificate.
package dane
