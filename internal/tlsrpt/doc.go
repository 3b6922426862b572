// Package tlsrpt is the words of reports on TLS (RFC 8460): what a domain says of where it
// wants them ([ParseRecord]), and the report itself, as JSON that is read ([Parse]) and
// printed ([Report.Write]), and as a mail ([Report.WriteMail]).
//
// A report tells of one day and one domain: by which policy there were how many sessions with TLS as it
// was asked for, and how many without, and why.
package tlsrpt
