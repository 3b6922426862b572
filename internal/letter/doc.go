// Package letter reads a message for people: what its header says in their own
// script, the tree of its MIME parts, its text and HTML, what is attached, where its
// links lead, the codes that it asks somebody to type, and what mail programs will make
// trouble about. It shows a message, and never decides about one.
//
// [Parse] takes anything: a message that is broken is read as far as it makes
// sense, and what is wrong with it stands in [Letter.Problems]. Everything is bounded, and
// time is linear in the length of the message: 50 multiparts deep, 10,000 parts, 1,000
// fields and 256 KiB of a header, 2 MiB of a text or of HTML. What is beyond a bound is
// still in the source, and a part is given whole by [Part.Open].
//
// The order inside: split.go finds the parts, field.go and part.go read their headers,
// charset.go their characters, body.go chooses what is shown. safe.go makes HTML harmless
// for a sandboxed frame; links.go, codes.go and checks.go look at what it says.
//
// It is written on the words of package message because the MIME readers that were
// tried (enmime 2.3, go-message 0.18) take minutes for a message of half a megabyte that
// was made to hurt, or give up at the first fault.
package letter
