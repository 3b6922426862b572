// Package remembered is what was seen of a host before: a [tlspolicy.Source] that demands
// of a host that had a good certificate when it took a domain's mail that it has one again,
// and a [tlspolicy.Observer] that sees it.
//
// So nobody on the way takes STARTTLS off an answer unnoticed, or puts himself in the
// place of a host, once mail was there. What it cannot see is mail that is led to another host:
// for that there are DANE and MTA-STS.
//
// A host may change its mind, or let its certificate expire. So the mail waits only for a time,
// the patience, from the first attempt that failed; its senders hear of the delay, and every attempt
// tells why. After that it goes as it can, and the plan tells so. A good certificate begins all anew.
package remembered
