// Package route decides where a recipient's mail goes next, and says why.
//
// A [Table] is made of [Rule]s by [New]. The first rule, in the order given,
// whose conditions all fit has the recipient: [Table.Route] makes a [mail.Hop] of
// it, and [Table.Explain] walks the same way and tells each rule that it looked
// at. So the assembly gives the rules of local domains before those of routes,
// and the default, a rule without conditions, last.
//
// [Table.Problems] finds rules that no recipient can reach, since others before
// them have everything that they want; a configuration check prints them.
//
// The package is pure: it asks no DNS and keeps no state, and a Table may be used
// by many goroutines. Rules that name their domains are found by the domain, so
// that ten thousand of them cost no more than one.
package route
