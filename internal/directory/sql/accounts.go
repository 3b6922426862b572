package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/password"
)

// Options say which database is asked, and what.
type Options struct {
	SQLite   string    // the file; or
	Postgres *Postgres // a server

	Query string
	// SCRAM says that every account that has a password has a SCRAM verifier in that
	// column. Only then is SCRAM offered: a client that can speak it tries nothing else.
	SCRAM   bool
	Timeout time.Duration // for one question; default 10 seconds
}

// Accounts are those of a database. Make them with [Open]; they are to be closed. They
// may be used by many goroutines.
type Accounts struct {
	opts   Options
	query  query
	db     *sql.DB
	gate   *password.Gate
	decoys *password.Decoys
}

var (
	_ directory.Accounts = (*Accounts)(nil)
	_ directory.Finder   = (*Accounts)(nil)
)

// Bounds of a pool of connections, and of an answer.
const (
	atATime = 16
	kept    = 4
	stale   = time.Minute
	maxRows = 1000
)

// Open opens a database. A file is read and the query tried; a server is not asked yet.
func Open(ctx context.Context, o Options) (*Accounts, error) {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	a := &Accounts{opts: o, gate: password.NewGate(), decoys: password.NewDecoys(password.NewKey())}
	var err error
	if o.Postgres != nil {
		err = a.openPostgres()
	} else {
		err = a.openSQLite(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.db.SetMaxOpenConns(atATime)
	a.db.SetMaxIdleConns(kept)
	a.db.SetConnMaxIdleTime(stale)
	return a, nil
}

// Close closes the database when what was asked is answered.
func (a *Accounts) Close() error { return a.db.Close() }

// Check implements [directory.Accounts].
func (a *Accounts) Check(ctx context.Context, name, word string) (*directory.Account, error) {
	is, err := a.find(ctx, name)
	if err != nil && !errors.Is(err, directory.ErrNoLogin) {
		return nil, err
	}
	if err := a.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer a.gate.Leave()
	tried := is.kept
	if tried == nil {
		tried = a.decoys.For(directory.FoldName(name))
	}
	prepared, bad := password.Prepare(word) // if it fails, the empty password is tried, which is nobody's
	if !tried.Fits(prepared) || bad != nil || err != nil || is.kept == nil {
		return nil, directory.ErrNoLogin
	}
	return &is.Account, nil
}

// Find implements [directory.Finder].
func (a *Accounts) Find(ctx context.Context, name string) (*directory.Account, error) {
	is, err := a.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return &is.Account, nil
}

// HasSCRAM implements [directory.Finder].
func (a *Accounts) HasSCRAM() bool { return a.opts.SCRAM }

// found is what the database knows of somebody.
type found struct {
	directory.Account
	kept password.Kept // nil: no password fits
}

// find asks. Whatever it asks has to be a name in its one form, since databases compare
// texts in ways of their own.
func (a *Accounts) find(ctx context.Context, name string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return found{}, err
	}
	exact := directory.IsExact(name)
	if !exact {
		name = "" // it is asked all the same, since that takes time
	}
	name = directory.FoldName(name)
	is, err := a.ask(ctx, name)
	switch {
	case err != nil:
		return found{}, fmt.Errorf("ask the database: %w", err)
	case is == nil || !exact:
		return found{}, directory.ErrNoLogin
	}
	if is.kept != nil {
		a.decoys.See(is.kept)
	}
	return *is, nil
}

// ask asks for the rows of a name; nil: there is none.
func (a *Accounts) ask(ctx context.Context, name string) (*found, error) {
	rows, err := a.db.QueryContext(ctx, a.query.text, a.query.values(name)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all, err := read(rows)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return accountOf(name, all)
}
