// Package dnsclient answers the questions of package dns by asking a recursive
// resolver, such as the one on the same host: over UDP, and over TCP when an
// answer is cut short.
//
// What comes back is not trusted: it has to bear the id and the question that
// was asked, names are checked, chains of CNAME records, records and their
// octets are counted. The AD bit is believed only of a resolver that nobody sits
// in front of; see Client.TrustAD.
//
// The zero Client asks the resolver on this host. [ReadResolvConf] makes one
// that asks those of resolv.conf.
package dnsclient
