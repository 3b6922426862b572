package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/directory/sql"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/pgtest"
)

const byName = "SELECT password FROM users WHERE name = %{name}"

// few is how many iterations make quick tests.
const few = 4096

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table is the statements that make a table of users, with SCRAM verifiers.
func table(users []directorytest.User) []string {
	all := []string{
		"CREATE TABLE users (name text PRIMARY KEY, password text, addresses text)",
		"CREATE TABLE aliases (name text, alias text)",
	}
	for _, u := range users {
		prepared, err := password.Prepare(u.Password)
		if err != nil {
			panic(err) // a user of the suite has a password
		}
		all = append(all, "INSERT INTO users VALUES ("+quoted(u.Name)+", "+quoted(password.NewSCRAM(prepared, few).String())+", NULL)")
	}
	return all
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// sqliteFile makes a file of SQLite.
func sqliteFile(t *testing.T, statements ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "users ?#%.db")
	db, err := stdsql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(name))
	check(t, err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.Exec(s)
		check(t, err)
	}
	return name
}

func open(t *testing.T, o sql.Options) *sql.Accounts {
	t.Helper()
	a, err := sql.Open(t.Context(), o)
	check(t, err)
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func TestSQLite(t *testing.T) {
	directorytest.RunAccounts(t, func(t *testing.T, users []directorytest.User) directory.Accounts {
		return open(t, sql.Options{SQLite: sqliteFile(t, table(users)...), Query: byName, SCRAM: true})
	})
}

// TestPostgreSQL plays the suite on the real server, which is asked as somebody with a password.
func TestPostgreSQL(t *testing.T) {
	directorytest.RunAccounts(t, func(t *testing.T, users []directorytest.User) directory.Accounts {
		server := pgtest.Start(t, pgtest.Options{MayLose: true, Password: "db-canary"})
		server.Exec(t, "postgres", strings.Join(table(users), ";\n"))
		url := server.DSN("postgres")
		bad := open(t, sql.Options{Postgres: &sql.Postgres{URL: url, Password: "other-canary"}, Query: byName})
		if is, err := bad.Check(t.Context(), "jane@example.org", "x"); err == nil || errors.Is(err, directory.ErrNoLogin) || strings.Contains(err.Error(), "canary") {
			t.Errorf("with a wrong password: %v, %v", is, err)
		}
		// What the server keeps of its own users may be asked for too.
		own := open(t, sql.Options{
			Postgres: &sql.Postgres{URL: url, Password: "db-canary"}, Query: "SELECT rolpassword AS password FROM pg_authid WHERE rolname = %{name}",
		})
		if is, err := own.Check(t.Context(), "posthouse", "db-canary"); err != nil || is.SCRAM == nil {
			t.Errorf("%+v, %v", is, err)
		}
		return open(t, sql.Options{Postgres: &sql.Postgres{URL: url, Password: "db-canary"}, Query: byName, SCRAM: true})
	})
}

// TestWhatTheColumnsSay: names, addresses and passwords that none fits.
func TestWhatTheColumnsSay(t *testing.T) {
	hash := quoted(password.NewSCRAM("lion", few).String())
	file := sqliteFile(t, append(table(nil),
		"INSERT INTO users VALUES ('jane', "+hash+", 'jane@example.org, *@example.net')",
		"INSERT INTO users VALUES ('joe', "+hash+", 'domain')",
		"INSERT INTO users VALUES ('ann', "+hash+", NULL)",
		"INSERT INTO users VALUES ('locked', NULL, NULL)",
		"INSERT INTO users VALUES ('old', '{MD5}canary', NULL)",
		"INSERT INTO aliases VALUES ('jane', 'one@example.org'), ('jane', 'two@example.org'), ('joe', 'x'), ('ann', 'Jane Doe'), ('twins', 'x')",
	)...)
	const columns = "SELECT password, addresses FROM users WHERE name = %{user}"
	for _, x := range []struct{ name, query, want string }{
		{"jane@example.org", columns, "jane@example.org may send as [jane@example.org *@example.net]"},
		{"joe", columns, "joe may send as domain"},
		{"ann", columns, "ann may send as []"},
		{"Ann", "SELECT password FROM users WHERE name = %{name}", "ann"},
		{"ann", "SELECT password, name || ' @' AS name FROM users WHERE name = %{user}", "wrong: the query gives a name that cannot be one of an account"},
		{"ann@Example.org", "SELECT password, name || '@' || %{domain} AS name FROM users WHERE name = %{user}", "ann@example.org"},
		{"jane", "SELECT password, alias AS addresses FROM users JOIN aliases USING (name) WHERE name = %{name}", "jane may send as [one@example.org two@example.org]"},
		{"locked", columns, "no"},
		{"nobody", columns, "no"},
		{"old", columns, "wrong: old: what is kept of the password begins with none of $argon2id$, SCRAM-SHA-256$ and $2b$"},
		{"jane", "SELECT password FROM users WHERE name <> %{name}", "wrong: the query gives rows of two accounts"},
		{"jane' OR '1'='1", columns, "no"},
		{"jane\";--", columns, "no"},
	} {
		a := open(t, sql.Options{SQLite: file, Query: x.query})
		is, err := a.Check(t.Context(), x.name, "lion")
		if got := told(is, err); got != x.want {
			t.Errorf("%s by %s: got %q, want %q", x.name, x.query, got, x.want)
		}
	}
}

func told(is *directory.Account, err error) string {
	switch {
	case errors.Is(err, directory.ErrNoLogin):
		return "no"
	case err != nil:
		return "wrong: " + strings.TrimPrefix(err.Error(), "ask the database: ")
	case is.Sends == nil:
		return is.Name
	case len(is.Sends.List) == 1 && is.Sends.List[0] == "":
		return is.Name + " may send as []"
	case len(is.Sends.List) > 0:
		return is.Name + " may send as [" + strings.Join(is.Sends.List, " ") + "]"
	}
	return is.Name + " may send as " + is.Sends.Scope.String()
}

func TestOptionsThatAreRefused(t *testing.T) {
	file := sqliteFile(t, table(nil)...)
	for _, x := range []struct {
		o    sql.Options
		want string
	}{
		{sql.Options{SQLite: file + "-away", Query: byName}, "no such file"},
		{sql.Options{SQLite: file, Query: "SELECT password FROM users"}, "the same for everybody"},
		{sql.Options{SQLite: file, Query: "SELECT password FROM users WHERE name = '%{name}'"}, "stands without quotes"},
		{sql.Options{SQLite: file, Query: "SELECT password FROM users WHERE name = %{nmae}"}, "none of name, user and domain"},
		{sql.Options{SQLite: file, Query: "SELECT password FROM people WHERE name = %{name}"}, "no such table: people"},
		{sql.Options{SQLite: file, Query: "SELECT name FROM users WHERE name = %{name}"}, "gives no column password"},
		{sql.Options{SQLite: file, Query: "SELECT password, name AS mail FROM users WHERE name = %{name}"}, `gives a column "mail"`},
		{sql.Options{SQLite: file, Query: "DELETE FROM users WHERE name = %{name} RETURNING password"}, "readonly"},
		{sql.Options{Postgres: &sql.Postgres{URL: "postgres://u:url-canary@h:port/x"}, Query: byName}, "the URL of the database is none"},
	} {
		if _, err := sql.Open(t.Context(), x.o); err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", x.o.Query, err, x.want)
		}
	}
}

// TestADatabaseThatIsAway is trouble for now, within the time of a question.
func TestADatabaseThatIsAway(t *testing.T) {
	for _, url := range []string{"postgres://u@/x?host=/nowhere", "postgres://u@127.0.0.1:1/x"} {
		a := open(t, sql.Options{Postgres: &sql.Postgres{URL: url, Password: "canary"}, Query: byName})
		is, err := a.Check(t.Context(), "jane", "lion")
		if err == nil || errors.Is(err, directory.ErrNoLogin) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "lion") {
			t.Errorf("%v, %v", is, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := open(t, sql.Options{SQLite: sqliteFile(t, table(nil)...), Query: byName})
	if is, err := a.Check(ctx, "jane", "lion"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", is, err)
	}
}
