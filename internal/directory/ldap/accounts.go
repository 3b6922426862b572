package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/posthouse/posthouse/internal/directory"
)

// Accounts are those of an LDAP server. Make them with [New]; they are to be closed. They
// may be used by many goroutines.
type Accounts struct {
	opts Options
	pool *pool
}

// Searched are Accounts that are found by a search, and so without a password.
type Searched struct{ *Accounts }

var (
	_ directory.Accounts = (*Accounts)(nil)
	_ directory.Finder   = Searched{}
)

// New makes accounts; they are [Searched] if there is a filter. Nobody is connected to
// yet. An error is one of the options.
func New(o Options) (directory.Accounts, error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Accounts{opts: o, pool: newPool(&o)}
	if o.Entry != "" {
		return a, nil
	}
	return Searched{a}, nil
}

// Close closes the connections that nobody uses.
func (a *Accounts) Close() error {
	a.pool.close()
	return nil
}

// maxPassword is how long a password may be, in octets.
const maxPassword = 1024

// Check implements [directory.Accounts].
func (a *Accounts) Check(ctx context.Context, name, password string) (*directory.Account, error) {
	began := time.Now()
	// An empty password would bind as nobody, which always succeeds (RFC 4513, 5.1.2).
	if !directory.IsExact(name) || password == "" || len(password) > maxPassword {
		return nil, a.no(ctx, began)
	}
	account, err := a.check(ctx, directory.FoldName(name), password)
	if errors.Is(err, directory.ErrNoLogin) {
		return nil, a.no(ctx, began)
	}
	return account, err
}

// no waits until no has taken as long as it always does.
func (a *Accounts) no(ctx context.Context, began time.Time) error {
	rest := time.NewTimer(time.Until(began.Add(a.opts.Patience)))
	defer rest.Stop()
	select {
	case <-rest.C:
		return directory.ErrNoLogin
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Accounts) check(ctx context.Context, name, password string) (account *directory.Account, err error) {
	err = a.ask(ctx, func(c *conn) error {
		entry, err := a.entry(c, name)
		if err != nil {
			return err
		}
		c.as = unknown // whatever comes of it
		if err = c.heard(c.Bind(entry.DN, password)); isNo(err) {
			return directory.ErrNoLogin
		}
		if err == nil && a.opts.Entry != "" && a.attributes()[0] != none { // it may read its own
			entry, err = a.search(c, entry.DN, goldap.ScopeBaseObject, "(objectClass=*)")
		}
		if err == nil {
			account, err = a.account(name, entry)
		}
		return err
	})
	return account, err
}

// isNo reports whether the server says that somebody may not come in. That an entry is
// locked or that its password has to be changed is no too.
func isNo(err error) bool {
	return goldap.IsErrorAnyOf(err, goldap.LDAPResultInvalidCredentials, goldap.LDAPResultNoSuchObject,
		goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultUnwillingToPerform,
		goldap.LDAPResultConstraintViolation)
}

// Find implements [directory.Finder].
func (s Searched) Find(ctx context.Context, name string) (account *directory.Account, err error) {
	if !directory.IsExact(name) {
		return nil, directory.ErrNoLogin
	}
	name = directory.FoldName(name)
	err = s.ask(ctx, func(c *conn) error {
		entry, err := s.entry(c, name)
		if err == nil {
			account, err = s.account(name, entry)
		}
		return err
	})
	return account, err
}

// HasSCRAM implements [directory.Finder]: a server shows no verifiers.
func (s Searched) HasSCRAM() bool { return false }

// ask has a connection for a question. What is wrong tells where.
func (a *Accounts) ask(ctx context.Context, question func(c *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	err := a.pool.use(ctx, question)
	if err == nil || errors.Is(err, directory.ErrNoLogin) || errors.Is(err, directory.ErrBusy) {
		return err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("ask LDAP at %s: %w", a.opts.Address, err)
}

// entry finds the entry of an account.
func (a *Accounts) entry(c *conn, name string) (*goldap.Entry, error) {
	if a.opts.Entry != "" {
		return &goldap.Entry{DN: fill(a.opts.Entry, name, goldap.EscapeDN)}, nil
	}
	if err := c.service(&a.opts); err != nil {
		return nil, fmt.Errorf("bind as %q: %w", a.opts.User, err)
	}
	return a.search(c, a.opts.Base, goldap.ScopeWholeSubtree, fill(a.opts.Filter, name, goldap.EscapeFilter))
}

// search finds one entry.
func (a *Accounts) search(c *conn, base string, scope int, filter string) (*goldap.Entry, error) {
	seconds := max(1, int(a.opts.Timeout/time.Second))
	found, err := c.Search(goldap.NewSearchRequest(base, scope, goldap.NeverDerefAliases, 2, seconds, false, filter, a.attributes(), nil))
	switch err = c.heard(err); {
	case goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded), err == nil && len(found.Entries) > 1:
		return nil, errors.New("the filter fits more than one entry")
	case goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject), err == nil && len(found.Entries) == 0:
		return nil, directory.ErrNoLogin
	case err != nil:
		return nil, err
	}
	return found.Entries[0], nil
}

// none asks for no attribute (RFC 4511, 4.5.1.8).
const none = "1.1"

func (a *Accounts) attributes() []string {
	all := append([]string{}, a.opts.Addresses...)
	if a.opts.Name != "" {
		all = append(all, a.opts.Name)
	}
	if len(all) == 0 {
		return []string{none}
	}
	return all
}

// account is whom an entry stands for. One that was not searched has no attributes.
func (a *Accounts) account(name string, e *goldap.Entry) (*directory.Account, error) {
	account := &directory.Account{Name: name}
	if a.opts.Name != "" {
		account.Name = directory.FoldName(e.GetAttributeValue(a.opts.Name))
		if !directory.IsExact(account.Name) {
			return nil, fmt.Errorf("the entry has no attribute %s that could be the name of an account", a.opts.Name)
		}
	}
	if len(a.opts.Addresses) == 0 {
		return account, nil
	}
	var all []string
	for _, attribute := range a.opts.Addresses {
		all = append(all, e.GetAttributeValues(attribute)...)
	}
	account.Sends = directory.SendersOf(all)
	return account, nil
}
