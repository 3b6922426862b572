// Package ldap asks an LDAP server who may log in (RFC 4511): whoever it lets bind with
// the password may.
//
// The entry of somebody is found in one of two ways: by a search below a base, or because
// the name of an entry (DN) is made of the name of the account. What people say goes into
// filters and names of entries as values alone, escaped (RFC 4515, RFC 4514): it can
// change neither which attribute is compared nor where is searched. A name that an LDAP
// server might take for another one, since it compares without regard to case, width and
// space, is nobody's: so that failures are counted for the account that they are about.
//
// A password travels over TLS, or over a socket or loopback address of this machine.
// LDAP tells only whether it is right, so there are the mechanisms that show it. Whether a
// name or the password is wrong takes the same time: that of [Options.Patience].
package ldap
