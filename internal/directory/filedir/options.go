package filedir

import (
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/smtp"
)

// Options are what a Directory is made of. Names of files are full paths, or
// relative to the working directory.
type Options struct {
	Domains []Domain
	// Hostname: mail for the postmaster and the mailer-daemon of this host is for
	// <postmaster>. On a host that has neither domains nor a Postmaster, that is
	// somebody elsewhere: postmaster@Hostname.
	Hostname string
	// Postmaster gets the mail of the postmasters of domains that name none and
	// have none; null: they have a mailbox of that name.
	Postmaster smtp.Path
	Files      plainfile.Opener // nil: those of the machine
}

// Domain is a domain whose mail ends here.
type Domain struct {
	Name     string
	Origin   mail.Origin // of what comes from the configuration
	Also     []string    // domains in which each address exists too
	CatchAll smtp.Path   // gets mail for whom nobody knows; null: nobody does

	Mailboxes    []string // local parts, without quoting
	MailboxFiles []File   // files of them, one a line
	AliasFiles   []File
	Postmaster   smtp.Path // null: Options.Postmaster
	Forwards     []Forward

	Tags          string // characters of which each may begin a tag; "": there are none
	KeepTags      bool   // a mailbox is named with its tag
	CaseSensitive bool   // but never for the postmaster

	Unix Unix
}

// File is a file, and the setting that names it.
type File struct {
	Name   string
	Origin mail.Origin
}

// Unix are alias files in the form of Unix, and what may stand in them.
type Unix struct {
	AliasFiles []File
	Include    []string // directories below which included files are
	Pipes      bool     // |command
	Files      bool     // /file
}

// Forward is somebody who has moved.
type Forward struct {
	Name   string // local part, without quoting
	Origin mail.Origin
	To     smtp.Path
	Tell   bool // the sender is told (251)
	Refuse bool // and mail is refused (551)
}
