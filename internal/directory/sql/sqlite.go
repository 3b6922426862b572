package sql

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// openSQLite opens a file for reading, and sees that the query is one.
func (a *Accounts) openSQLite(ctx context.Context) (err error) {
	if a.query, err = prepare(a.opts.Query, '?'); err != nil {
		return err
	}
	if _, err := os.Stat(a.opts.SQLite); err != nil {
		var inner *os.PathError
		if errors.As(err, &inner) {
			err = inner.Err // whoever is told knows the name
		}
		return err
	}
	name, err := filepath.Abs(a.opts.SQLite)
	if err != nil {
		return err
	}
	// A writer may hold the file for a moment.
	source := url.URL{Scheme: "file", Path: name, RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=trusted_schema(0)"}
	if a.db, err = sql.Open("sqlite", source.String()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	if err = a.try(ctx); err != nil {
		_ = a.db.Close()
	}
	return err
}

// try sees that the query is one, and gives the columns that are known.
func (a *Accounts) try(ctx context.Context) error {
	rows, err := a.db.QueryContext(ctx, a.query.text, a.query.values("")...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var c columns
	if c.all, err = rows.Columns(); err == nil {
		_, err = c.place(new(row))
	}
	return err
}
