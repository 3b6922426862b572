// Package dkimkeys is the keys with which the house signs mail (RFC 6376): files of
// the operator, below DATA/dkim, that the commands "posthouse domain" and "posthouse
// dkim" write and the daemon reads.
//
//	DATA/dkim/example.org/keys                   the index: which key signs, and when
//	DATA/dkim/example.org/rsa-20261123.pem       a private key, PKCS #8, mode 0600
//	DATA/dkim/example.org/ed25519-20261123.pem   named after its selector
//
// A key goes through four stages. It waits while its public half is put into the DNS;
// it signs; it is kept, when another one signs, for as long as mail with its
// signatures is under way; and it is over. The index has the instants, so that a
// daemon that has read it changes over by itself.
//
// [Read] is all that the daemon needs. [Edit] changes an index, and [Make] makes a
// key, durably: a file that is there is never written again. [Next] decides what the
// next step of a rotation is; it is pure.
package dkimkeys
