package pgspool_test

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
	"github.com/posthouse/posthouse/internal/spool/spooltest"
	"github.com/posthouse/posthouse/smtp"
)

// options are those of a node in a test.
func options(node string) pgspool.Options {
	return pgspool.MayLose(pgspool.Options{Node: node, Durability: pgspool.Primary, Version: "v1"})
}

func open(t testing.TB, dsn string, o pgspool.Options) *pgspool.Spool {
	t.Helper()
	s, err := pgspool.Open(context.Background(), dsn, o)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	// The suite's model really sleeps here. -rapid.checks=100 plays as many days as the others do.
	few(t, "rapid.checks", "2")
	few(t, "rapid.steps", "12")
	spooltest.RunRealTime(t, func(t testing.TB) spooltest.Subject {
		server, name := database(t)
		s := open(t, server.DSN(name), options("node-1"))
		again := func() spool.Engine {
			s = open(t, server.DSN(name), options("node-1"))
			return s
		}
		do := func(sql string, args ...any) {
			_, err := s.Pool().Exec(context.Background(), sql, args...)
			check(t, err)
		}
		return spooltest.Subject{
			Engine: s,
			Crash:  func() spool.Engine { s.Abandon(); return again() },
			Reopen: func() spool.Engine { check(t, s.Close()); return again() },
			Spoil: func(id mail.ID) {
				do("UPDATE "+pgspool.Table(pgspool.SliceAt(id.Arrived()))+" SET data = 'x' || data WHERE id = $1", id[:])
			},
			Fill: func(full bool) {
				if full {
					do(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
						RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
						CREATE TRIGGER full_disk BEFORE INSERT ON probe EXECUTE FUNCTION full_disk()`)
				} else {
					do("DROP FUNCTION full_disk CASCADE")
				}
			},
		}
	}, os.Getenv("POSTHOUSE_TEST_ALL") != "")
}

// few sets a flag that was not given.
func few(t *testing.T, name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		check(t, flag.Set(name, value))
	}
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s)
	if err != nil {
		panic(err) // a test's own address
	}
	return p
}

func envelope(to ...string) mail.Envelope {
	e := mail.Envelope{From: path("ann@sohu.example"), Arrived: time.Now(), Subject: "hello"}
	for _, a := range to {
		e.To = append(e.To, mail.Recipient{To: path(a), Original: path(a)})
	}
	return e
}
