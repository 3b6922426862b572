package directory

import (
	"context"
	"errors"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/smtp"
)

// Accounts knows who may log in. It may be used by many goroutines.
//
// Names are folded to lower case (ASCII): Jane and jane are one. An error that is
// neither [ErrNoLogin] nor [ErrBusy] is for the time being: it could not be found
// out. No error ever holds what was said to be the password.
type Accounts interface {
	// Check returns the account of a name if the password is its own, and
	// [ErrNoLogin] if it is not. A name that nobody has costs the same time as a
	// wrong password. [ErrBusy] if too many ask at a time.
	Check(ctx context.Context, name, password string) (*Account, error)
}

// Finder is Accounts that can tell of an account without a password: for SCRAM, and
// for who has proved in another way who he is. Without it only mechanisms that
// show the password can be offered.
type Finder interface {
	// Find returns the account of a name, [ErrNoLogin] if there is none.
	Find(ctx context.Context, name string) (*Account, error)

	// HasSCRAM reports whether every account that has a password has a verifier of it:
	// only then is SCRAM offered, since a client that can speak it tries nothing else.
	HasSCRAM() bool
}

// Errors of [Accounts].
var (
	ErrNoLogin = errors.New("there is no such user, or the password is wrong")
	ErrBusy    = password.ErrBusy
)

// Account is somebody who may log in.
type Account struct {
	Name  string   // as the directory writes it: folded
	SCRAM *SCRAM   // nil: none is kept
	CRAM  *CRAM    // nil: none is kept, and CRAM-MD5 lets nobody in
	Sends *Senders // nil: it is for the configuration to say
}

// SCRAM is what is kept of a password for SCRAM-SHA-256.
type SCRAM = password.SCRAM

// CRAM is what is kept of a password for CRAM-MD5.
type CRAM = password.CRAM

// Scope is as whom an account may send.
type Scope uint8

// The scopes, from narrow to wide.
const (
	Own    Scope = iota // its name, if that is an address, and what leads to it alone
	Domain              // every address in the domain of its name
	Any                 // everybody
)

// ParseScope reads what [Scope.String] writes.
func ParseScope(s string) (Scope, bool) {
	for _, scope := range []Scope{Own, Domain, Any} {
		if s == scope.String() {
			return scope, true
		}
	}
	return Own, false
}

func (s Scope) String() string { return [...]string{"own", "domain", "any"}[s] }

// Senders is as whom an account may send. If List is given it is those alone.
type Senders struct {
	Scope Scope
	List  []string // "jane@example.org", or "*@example.org" for all in a domain; folded
}

// May reports whether an account may send as an address. aliases is asked whether
// an address that is not the account's name leads to it; nil: none does.
func (s *Senders) May(ctx context.Context, name string, as smtp.Path, aliases Directory) (bool, error) {
	address, domain := FoldAddress(as)
	if len(s.List) > 0 {
		for _, one := range s.List {
			if one == address || one == "*@"+domain {
				return true, nil
			}
		}
		return false, nil
	}
	at := strings.LastIndexByte(name, '@')
	switch {
	case s.Scope == Any || address == name:
		return true, nil
	case at < 0:
		return false, nil
	case s.Scope == Domain:
		return domain == name[at+1:], nil
	}
	return leadsTo(ctx, name, as, aliases)
}

// leadsTo reports whether the mail for an address goes to the account of a name and
// to nobody else: another spelling of it, with a tag, in another domain, or an alias.
func leadsTo(ctx context.Context, name string, as smtp.Path, aliases Directory) (bool, error) {
	if aliases == nil {
		return false, nil
	}
	r, err := aliases.Lookup(ctx, as)
	if err != nil || len(r.To) != 1 || !r.To[0].Local {
		return false, err
	}
	if r.Kind == Mailbox { // with a tag the target may have it too
		address, _ := FoldAddress(r.Address)
		return address == name, nil
	}
	target, _ := FoldAddress(r.To[0].To)
	return target == name, nil
}

// FoldAddress returns an address in the form in which names of accounts and senders
// are compared, and its domain: in lower case, the domain as by [mail.FoldDomain], the
// local part without quoting.
func FoldAddress(p smtp.Path) (address, domain string) {
	domain = mail.FoldDomain(p.Domain())
	return FoldName(p.Mailbox()) + "@" + domain, domain
}

// MaxName is how long the name of an account may be, in octets.
const MaxName = 255

// FoldName returns a name in the form in which it is compared.
func FoldName(s string) string { return mail.LowerASCII(s) }
