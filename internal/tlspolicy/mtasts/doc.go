// Package mtasts is the policy that a domain publishes on a web server of its own
// (MTA-STS, RFC 8461): a [tlspolicy.Source] that asks for it, and keeps it.
//
// One question goes like this. What is kept for the domain is read. The DNS tells the id of
// the policy that stands. If that is another one, or nothing is kept, or it was fetched more
// than a day ago, it is fetched; if that does not succeed, what is kept holds until its time
// is over. So who can hold back answers can keep a policy from a sender who never saw it, and
// from nobody else. One that says "none" is kept too, and demands nothing.
//
// What is fetched is given by strangers, who choose the name of the server too: package
// publicweb sees to it that this is no way in. A fetch that fails is not tried again for five
// minutes, and a server is asked by one at a time.
package mtasts
