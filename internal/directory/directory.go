package directory

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Directory knows who lives here. It may be used by many goroutines.
//
// An error of its methods is for the time being: what was asked could not be
// found out. That nobody is known by a name is an answer and no error.
type Directory interface {
	// Lookup says what a recipient is. The postmaster of each of our domains is
	// always somebody, in any case, and so is <postmaster> without a domain
	// (RFC 5321, 4.5.1).
	Lookup(ctx context.Context, to smtp.Path) (Resolution, error)

	// Find says who may be meant by a word that is an address, with or without
	// angle brackets, or a name in any of our domains. It finds whoever is named;
	// not who is caught by a rule for those whom nobody knows. The order is that
	// of the domains.
	Find(ctx context.Context, word string) ([]Resolution, error)
}

// Kind is what an address is to us.
type Kind uint8

// The kinds.
const (
	NotOurs   Kind = iota // the domain is not one of ours
	Unknown               // the domain is ours, and nobody is known by the name
	Mailbox               // somebody who lives here
	Alias                 // a name of others: To has all of them
	Forwarded             // somebody who has moved, to whom we send it on: To has the new address
	Moved                 // somebody who has moved, to whom the sender may send it: New has the new address
)

func (k Kind) String() string {
	return [...]string{"not ours", "unknown", "mailbox", "alias", "forwarded", "moved"}[k]
}

// Resolution is what an address is to us.
type Resolution struct {
	Kind    Kind
	Address smtp.Path // that was asked for, as the directory writes it; of NotOurs and Unknown: as it was asked

	// To are those who get the mail: at least one for Mailbox, Alias and
	// Forwarded, none twice, none for the other kinds.
	To []Target

	New  smtp.Path // Forwarded and Moved: the new address
	Tell bool      // Forwarded: the sender is told the new address (251)

	Origin mail.Origin // the line that decided; zero: none did
}

// Target is one of those who get the mail.
type Target struct {
	To    smtp.Path
	Local bool // it is a mailbox of ours

	// Into is what an alias in the form of Unix names in the place of somebody:
	// "|" and a command line, a file by its full path, or a Maildir with a slash
	// behind that. To is then the alias, and Origin the line that names it. Else it
	// is "".
	Into   string
	Origin mail.Origin
}
