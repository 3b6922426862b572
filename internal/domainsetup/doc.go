// Package domainsetup is what the DNS has to say of a domain whose mail we take and
// send: the records ([Setup.Records]) and their form as a zone ([WriteZone]), which are
// pure; and what it says in truth, with what is to be done about the difference
// ([Check]).
//
// What each record is for: MX and the addresses of the host (RFC 5321, 5.1), SPF (RFC
// 7208), DKIM (RFC 6376, 8463), DMARC (RFC 9989), MTA-STS (RFC 8461), reports on TLS (RFC
// 8460), DANE (RFC 7672), and where people's programs find us (RFC 6186, RFC 8314, and
// the names that Thunderbird and Outlook look up).
package domainsetup
