package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/dovecot"
	"github.com/posthouse/posthouse/internal/directory/ldap"
	"github.com/posthouse/posthouse/internal/directory/sql"
	"github.com/posthouse/posthouse/internal/directory/userfile"
	"github.com/posthouse/posthouse/internal/login"
)

// buildAccounts makes what says who may log in.
func (b *builder) buildAccounts(r *rooms) error {
	u := &b.cfg.Users
	if u.Dovecot.Given() {
		r.accounts = dovecot.New(dovecot.Options{Socket: u.Dovecot.Value, Dial: b.world.anywhere})
	}
	if u.LDAP.Used() {
		b.ldap(r)
	}
	if u.SQL.Used() {
		b.sql(r)
	}
	if !u.File.Given() {
		return nil
	}
	file, err := userfile.Open(userfile.Options{Name: u.File.Value, Files: b.world.Files, Log: b.world.Log})
	if err == nil {
		r.accounts = file
		return nil
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err // it would name the file again
	}
	hint := ""
	if errors.Is(err, fs.ErrNotExist) {
		hint = ` (posthouse user add NAME makes it)`
	}
	b.add(u.File.Origin, "cannot use the users in %q: %v%s", u.File.Value, err, hint)
	return nil
}

// ldap makes accounts of an LDAP server. Nobody is connected to yet.
func (b *builder) ldap(r *rooms) {
	l := &b.cfg.Users.LDAP
	network, address, host, implicit := l.Where()
	o := ldap.Options{
		Network: network, Address: address, StartTLS: network == "tcp" && !implicit && l.TLS.Value == "starttls",
		Base: l.Base.Value, Filter: l.Filter.Value, User: l.User.Value, Entry: l.Entry.Value,
		Name: l.Name.Value, Addresses: l.Addresses.Value, Timeout: l.Timeout.Value, Dial: b.world.anywhere,
	}
	if implicit || o.StartTLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: b.authorities(l.CA)}
		if o.TLS.RootCAs == nil {
			o.TLS.RootCAs = b.world.Roots
		}
	}
	if l.Password.Given() {
		o.Password = b.password(&l.Password)
	}
	accounts, err := ldap.New(o)
	if err != nil {
		b.add(l.Origin, "%v", err)
		return
	}
	r.accounts = accounts
}

// sql makes accounts of a database.
func (b *builder) sql(r *rooms) {
	q := &b.cfg.Users.SQL
	o := sql.Options{SQLite: q.SQLite.Value, Query: q.Query.Value, SCRAM: q.SCRAM.Value, Timeout: q.Timeout.Value}
	origin := q.SQLite.Origin
	if q.Postgres.Given() {
		origin = q.Postgres.Origin
		o.Postgres = &sql.Postgres{URL: q.Postgres.Value, Roots: b.authorities(q.CA), Dial: b.world.anywhere}
		if o.Postgres.Roots == nil {
			o.Postgres.Roots = b.world.Roots
		}
		if q.Password.Given() {
			o.Postgres.Password = b.password(&q.Password)
		}
	}
	accounts, err := sql.Open(context.Background(), o)
	if err != nil {
		b.add(origin, "cannot use the users of the database: %v", err)
		return
	}
	r.accounts = accounts
}

// senders is as whom those may send whose account does not say it.
func (b *builder) senders() directory.Senders {
	scope, _ := directory.ParseScope(b.cfg.Users.Senders.Value) // it was checked with the configuration
	return directory.Senders{Scope: scope}
}

// door lets people in, nil if nobody is.
func (h *House) door(r *rooms, c *config.Config) *login.Door {
	if r.accounts == nil {
		return nil
	}
	h.book.Allow(ruleOf(c.Users.Messages.Value), ruleOf(c.Users.Recipients.Value))
	return login.New(login.Options{Accounts: r.accounts, Book: h.book, Memory: h.spool, Log: h.world.Log})
}

func ruleOf(r config.Rate) login.Rule {
	if r.Count == 0 {
		return login.Rule{}
	}
	return login.Rule{Burst: r.Count, Each: r.Per / time.Duration(r.Count)}
}
