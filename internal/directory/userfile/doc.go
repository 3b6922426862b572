// Package userfile keeps accounts in a file, one a line:
//
//	# A comment, which stays where it is.
//	jane@example.org $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH SCRAM-SHA-256$100000:SALT$STOREDKEY:SERVERKEY
//	joe@example.org  $argon2id$... SCRAM-SHA-256$... sends=joe@example.org,*@example.net
//	robot            $argon2id$... sends=any
//
// Behind the name stand, in any order and each at most once:
//
//   - $argon2id$...: the password, as the reference implementation prints it (RFC 9106;
//     base64 without padding). Without it no password fits.
//   - SCRAM-SHA-256$...: the verifier of the same password (RFC 5803; RFC 7677). While a user
//     with a password has none, SCRAM is offered to nobody. All are of the password as SASLprep (RFC 4013) makes it.
//   - CRAM-MD5$...: what CRAM-MD5 (RFC 2195) needs of the same password, 64 hexadecimal digits, as Dovecot keeps it.
//     It is weaker than the others: see [password.CRAM].
//   - sends=: as whom the account may send: "own", "domain", "any", or a list of addresses, in which
//     "*@example.org" is all of a domain. Without it the configuration says.
//
// Names are folded to lower case. The file is a secret: its mode must be 0600, or 0640
// for a group that may read it. [Edit] changes it: the new file takes the place of the
// old one at once, is on the disk when that is over, and two changes at a time wait for
// each other. A [File] reads it again when it has changed.
package userfile
