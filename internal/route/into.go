package route

import (
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Names of the transports that carry mail into what an alias in the form of Unix
// names in the place of somebody, and of the route to them.
const (
	Alias        = "alias"
	AliasCommand = "alias-command" // "|" and a command line
	AliasFile    = "alias-file"    // a file by its full path
	AliasMaildir = "alias-maildir" // a Maildir by its full path, with a slash behind it
)

// Into returns the hop of a recipient that an alias sends into a command or a
// file; it is not ok for others. No table is asked, for the recipient's address
// is that of the alias.
func Into(r *mail.Recipient) (hop mail.Hop, ok bool) {
	hop = mail.Hop{Route: Alias, Destination: r.Into, Origin: r.Origin}
	switch {
	case r.Into == "":
		return mail.Hop{}, false
	case r.Into[0] == '|':
		hop.Transport = AliasCommand
	case strings.HasSuffix(r.Into, "/"):
		hop.Transport = AliasMaildir
	default:
		hop.Transport = AliasFile
	}
	return hop, true
}
