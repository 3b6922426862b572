package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// SQL is a database that knows who may log in. The query may have %{name}, %{user} and
// %{domain}, which go to it as parameters.
type SQL struct {
	Origin   mail.Origin     // zero: it is not asked
	SQLite   Setting[string] // file; or
	Postgres Setting[string] // "postgres://USER@HOST/DATABASE", "postgres://USER@/DATABASE?host=/DIRECTORY"
	CA       Setting[string] // postgres: file of trusted certificates; "": those of the system
	Password Secret          // postgres
	Query    Setting[string]
	SCRAM    Setting[bool] // every password is kept as a SCRAM verifier
	Timeout  Setting[time.Duration]
}

// Used reports whether the database is asked.
func (q *SQL) Used() bool { return q.Origin != (mail.Origin{}) }

func (q *SQL) block() block {
	return block{
		word: "sql", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			q.Origin = at
			return q.schema(), true
		},
		all: func() []schema {
			if !q.Used() {
				return nil
			}
			return []schema{q.schema()}
		},
	}
}

func (q *SQL) schema() schema {
	fields := []field{
		one("sqlite", &q.SQLite, file()),
		one("postgres", &q.Postgres, postgresURL()),
		one("ca", &q.CA, file()),
	}
	fields = append(fields, q.Password.fields("password", "password_file")...)
	return schema{title: "sql", fields: append(fields,
		one("query", &q.Query, text()),
		one("scram", &q.SCRAM, yesNo()),
		one("timeout", &q.Timeout, duration(time.Second, time.Minute)),
	)}
}

func postgresURL() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		wrong := fmt.Errorf(`%q is neither "postgres://USER@HOST/DATABASE" nor "postgres://USER@/DATABASE?host=/DIRECTORY"`, clip(s))
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.User.Username() == "" || len(u.Path) < 2 {
			return "", wrong
		}
		if _, is := u.User.Password(); is {
			return "", errors.New("no password is in this file: write password_file, password_env, password_command or password_credential")
		}
		more := u.Query()
		socket := more.Get("host")
		more.Del("host")
		if len(more) > 0 || (u.Host == "") != strings.HasPrefix(socket, "/") || u.Host != "" && socket != "" {
			return "", wrong
		}
		return s, nil
	}, itself)
}

// checkSQL finds settings that are missing, or that mean nothing.
func (d *decoder) checkSQL(q *SQL) {
	if !q.Used() {
		return
	}
	d.checkSecret("password", &q.Password)
	switch {
	case q.SQLite.Given() && q.Postgres.Given():
		d.add(q.Postgres.Origin, "", "there are two databases: the other is in line %d", q.SQLite.Origin.Line)
	case !q.SQLite.Given() && !q.Postgres.Given():
		d.add(q.Origin, `write sqlite = "FILE" or postgres = "postgres://USER@HOST/DATABASE"`, "it says nowhere where the database is")
	case q.SQLite.Given() && q.CA.Given():
		d.add(q.CA.Origin, "", "ca is of no use with a file")
	case q.SQLite.Given() && q.Password.Given():
		d.add(q.Password.Origin(), "", "a file has no password")
	}
	if !q.Query.Given() {
		d.add(q.Origin, `write query = "SELECT password FROM users WHERE name = %{name}"`, "it says nowhere what to ask")
	}
}
