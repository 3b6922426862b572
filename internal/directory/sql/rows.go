package sql

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/password"
)

// row is one row of an answer. What is NULL, and what has no column, is not valid.
type row struct{ name, password, addresses sql.NullString }

// columns are those of an answer.
type columns struct {
	all       []string
	addresses bool
}

// place says where the columns of a row go.
func (c *columns) place(r *row) ([]any, error) {
	at := make([]any, len(c.all))
	seen := map[string]bool{}
	for i, name := range c.all {
		name = strings.ToLower(name)
		switch name {
		case "name":
			at[i] = &r.name
		case "password":
			at[i] = &r.password
		case "addresses":
			at[i] = &r.addresses
			c.addresses = true
		default:
			return nil, fmt.Errorf("the query gives a column %q: it may give password, name and addresses", name)
		}
		if seen[name] {
			return nil, fmt.Errorf("the query gives the column %q twice", name)
		}
		seen[name] = true
	}
	if !seen["password"] {
		return nil, errors.New("the query gives no column password")
	}
	return at, nil
}

// read reads the rows of an answer.
func read(rows *sql.Rows) (all []row, err error) {
	var c columns
	if c.all, err = rows.Columns(); err != nil {
		return nil, err
	}
	if _, err := c.place(new(row)); err != nil {
		return nil, err
	}
	for rows.Next() {
		if len(all) == maxRows {
			return nil, fmt.Errorf("the query gives more than %d rows", maxRows)
		}
		var r row
		at, _ := c.place(&r) // it was seen above
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		if c.addresses && !r.addresses.Valid {
			r.addresses.Valid = true // NULL is none
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// accountOf is the account that rows tell of.
func accountOf(name string, all []row) (*found, error) {
	is := &found{Account: directory.Account{Name: name}}
	first := all[0]
	if first.name.Valid {
		is.Name = directory.FoldName(first.name.String)
		if !directory.IsExact(is.Name) {
			return nil, errors.New("the query gives a name that cannot be one of an account")
		}
	}
	var addresses []string
	for _, r := range all {
		if r.name != first.name || r.password != first.password {
			return nil, errors.New("the query gives rows of two accounts")
		}
		addresses = append(addresses, strings.FieldsFunc(r.addresses.String, func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\t' })...)
	}
	if first.addresses.Valid {
		is.Sends = sendersOf(addresses)
	}
	if !first.password.Valid {
		return is, nil
	}
	kept, err := password.Parse(first.password.String)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", is.Name, err)
	}
	is.kept = kept
	is.SCRAM, _ = kept.(*password.SCRAM)
	return is, nil
}

func sendersOf(addresses []string) *directory.Senders {
	if len(addresses) == 1 {
		if scope, ok := directory.ParseScope(addresses[0]); ok {
			return &directory.Senders{Scope: scope}
		}
	}
	return directory.SendersOf(addresses)
}
