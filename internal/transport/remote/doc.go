// Package remote is the transport to other hosts over SMTP: to those that the DNS
// names for a domain (RFC 5321, 5.1), or to smarthosts.
//
// One delivery goes like this. A plan is made, unless the delivery brings one:
// MX records or, without any, the domain itself; addresses; our own names and
// addresses cut off the list. The hosts are tried by preference, equal ones in
// an order drawn for each message, those that have failed a moment ago last. The
// addresses of a host are raced, IPv6 first, with a short head start for each. On
// a connection, new or kept from the message before, the text goes to all
// recipients at once, or in several transactions if the host takes no more.
//
// What a host says about a recipient or the text stands. The next host is tried
// when there was no connection or it broke before the text was all sent, when the
// host refused us as a whole for now (a reply 4yz to the greeting, EHLO or MAIL, or
// 421), or for good before MAIL, and when it lacks what the message needs. Behind
// the final dot nothing is tried again.
package remote
