// Package tlspolicy is how much security mail to a host needs, and who says so.
//
// A [Source] is asked about a host that takes the mail of a domain and answers with a
// [Demand]: a [Level], and how the certificate is judged. Sources are the configuration
// ([Rules]), the host's own DNS records (package dane), the policy that its domain
// publishes (package mtasts) and what was seen before (package remembered). [InOrder] asks
// them in turn: who comes first and demands something is heard, the others are not.
//
// A Source that cannot tell, since its records are forged or nobody answers, returns an
// error: then the host is not used for now. It must never answer "nothing is demanded"
// because somebody on the way has cut it off, if there is a way to notice.
//
// What came of a demand at a host is a [Result]. Package tlspolicytest has the suite that
// each source passes. The package opens no connection.
package tlspolicy
