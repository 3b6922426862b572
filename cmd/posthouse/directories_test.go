package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/posthouse/posthouse/internal/directory/directorytest"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/pgtest"
)

// TestDirectories plays scripts beside servers that know who may log in: $SLAPD is the socket of
// OpenLDAP's, and $POSTGRES the directory of the socket of PostgreSQL. In both is
// li@sohu.com, whose password is lion-canary.
func TestDirectories(t *testing.T) {
	li := directorytest.User{Name: "li@sohu.com", Password: "lion-canary"}
	slapd := directorytest.StartSlapd(t, []directorytest.User{li})
	postgres := pgtest.Start(t, pgtest.Options{MayLose: true, Password: "db-canary"})
	postgres.Exec(t, "postgres", "CREATE TABLE users (name text PRIMARY KEY, password text);\n"+
		"INSERT INTO users VALUES ('"+li.Name+"', '"+password.NewSCRAM(li.Password, 4096).String()+"');")
	testscript.Run(t, scripts("testdata/directories", map[string]string{"SLAPD": slapd.Socket, "POSTGRES": postgres.Dir}))
}
