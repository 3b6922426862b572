package pgspool_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/pgtest"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// TestWhatCannotBeOpened: each says what to do, in one line, and no word of a password.
func TestWhatCannotBeOpened(t *testing.T) {
	server, name := database(t)
	_, old := database(t)
	_, next := database(t)
	_, closed := database(t)
	role, empty := "stranger_"+closed, "empty_"+closed
	server.Exec(t, old, "DELETE FROM posthouse.migration WHERE version > 1")
	server.Exec(t, next, "INSERT INTO posthouse.migration (version) VALUES (99)")
	server.Exec(t, "postgres", "CREATE ROLE "+role+" LOGIN PASSWORD 'canary'")
	server.Exec(t, closed, "GRANT USAGE ON SCHEMA posthouse TO "+role+"; GRANT SELECT ON posthouse.migration TO "+role)
	server.Exec(t, "postgres", "CREATE DATABASE "+empty)
	primary := pgspool.Options{Durability: pgspool.Primary}
	stranger := strings.Replace(server.DSN(closed), "posthouse@", role+":canary@", 1)
	for _, x := range []struct {
		name, dsn string
		o         pgspool.Options
		want      string
	}{
		{"no address", "postgres://u:canary@h:port/x", primary, "the address of the database is none"},
		{"nobody there", "postgres://u:canary@127.0.0.1:1/x", primary, "not to be reached"},
		{"no socket", "postgres://u:canary@/x?host=/nowhere", primary, "not to be reached"},
		{"no database", server.DSN("nothing"), primary, "createdb"},
		{"no tables", server.DSN(empty), primary, "there is no spool in this database: make one with \"posthouse spool migrate\""},
		{"old tables", server.DSN(old), primary, "posthouse spool migrate"},
		{"tables of a newer program", server.DSN(next), primary, "version 99, and this program knows only up to 2: use a newer one"},
		{"no rights", stranger, pgspool.MayLose(primary), "must own the schema"},
		{"no sync", server.DSN(name), primary, "fsync is off and full_page_writes is off"},
		{"no standby", server.DSN(name), pgspool.MayLose(pgspool.Options{}), `durability = "primary"`},
		{"lazy commits", server.DSN(name) + "&synchronous_commit=off", pgspool.MayLose(primary), "synchronous_commit is off"},
	} {
		s, err := pgspool.Open(context.Background(), x.dsn, x.o)
		switch {
		case err == nil:
			t.Errorf("%s: it opens", x.name)
			s.Close()
		case !strings.Contains(err.Error(), x.want), strings.Contains(err.Error(), "canary"), strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		}
	}
	if _, _, err := pgspool.Migrate(context.Background(), server.DSN(next), primary); err == nil || !strings.Contains(err.Error(), "use a newer one") {
		t.Errorf("a newer one is migrated: %v", err)
	}
	if from, to, err := pgspool.Migrate(context.Background(), server.DSN(empty), primary); from != 0 || to != 2 || err != nil {
		t.Errorf("migrated from %d to %d, %v", from, to, err)
	}
	if from, to, err := pgspool.Migrate(context.Background(), server.DSN(empty), primary); from != 2 || to != 2 || err != nil {
		t.Errorf("migrated again from %d to %d, %v", from, to, err)
	}
	if _, _, err := pgspool.Migrate(context.Background(), stranger, primary); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("by a stranger: %v", err)
	}
}

// TestWhatIsTooWeakForLongIsTold: without autovacuum it works today.
func TestWhatIsTooWeakForLongIsTold(t *testing.T) {
	server, name := database(t)
	server.Set(t, "autovacuum", "off")
	t.Cleanup(func() { server.Reset(t, "autovacuum") })
	pgtest.Wait(t, "autovacuum is off", func() bool {
		return server.Count(t, name, "SELECT count(*) FROM pg_settings WHERE name = 'autovacuum' AND setting = 'off'") == 1
	})
	var told bytes.Buffer
	o := options("")
	o.Log = slog.New(slog.NewTextHandler(&told, nil))
	open(t, server.DSN(name), o).Close()
	if !strings.Contains(told.String(), "autovacuum is off") {
		t.Errorf("told: %s", told.String())
	}
}

// TestItDialsAsItIsTold: no connection goes around Options.Dial.
func TestItDialsAsItIsTold(t *testing.T) {
	server, name := database(t)
	o := options("")
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if network != "tcp" || address != "db.example:5432" {
			t.Errorf("it dials %s %s", network, address)
		}
		return new(net.Dialer).DialContext(ctx, "unix", server.Dir+"/.s.PGSQL.5432")
	}
	s := open(t, "postgres://posthouse@db.example/"+name+"?sslmode=disable", o)
	if _, err := s.Stats(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLostConnectionsAreMadeAgain, and nothing is taken for done that may not be.
func TestLostConnectionsAreMadeAgain(t *testing.T) {
	ctx := context.Background()
	server, name := database(t)
	s := open(t, server.DSN(name), options("node-1"))
	owner, err := s.Join(ctx, "node-1", time.Hour)
	check(t, err)
	for range 5 {
		server.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
		if _, err := try(ctx, s, "bob@sina.example"); err != nil && errors.Is(err, spool.ErrFailed) {
			t.Errorf("a commit: %v", err)
		}
	}
	pgtest.Wait(t, "a commit goes through", func() bool { _, err := try(ctx, s, "bob@sina.example"); return err == nil })
	check(t, s.Beat(ctx, owner))
	whole(t, s)
}

// TestAFullDisk refuses with spool.ErrFull, whichever statement finds it.
func TestAFullDisk(t *testing.T) {
	ctx := context.Background()
	server, name := database(t)
	s := open(t, server.DSN(name), options("node-1"))
	server.Exec(t, name, `CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON posthouse.message FOR EACH ROW EXECUTE FUNCTION public.full_disk()`)
	if _, err := try(ctx, s, "bob@sina.example"); !errors.Is(err, spool.ErrFull) || errors.Is(err, spool.ErrInDoubt) {
		t.Errorf("a commit on a full disk: %v", err)
	}
	server.Exec(t, name, "DROP FUNCTION public.full_disk CASCADE")
	if _, err := try(ctx, s, "bob@sina.example"); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestClocksApartAreTold once a node begins.
func TestClocksApartAreTold(t *testing.T) {
	server, name := database(t)
	var told bytes.Buffer
	o := options("node-1")
	o.Log = slog.New(slog.NewTextHandler(&told, nil))
	s := open(t, server.DSN(name), o)
	s.TellSkew(10 * time.Second)
	if got := told.String(); !strings.Contains(got, "clock of this node differs") || !strings.Contains(got, "ahead=10s") {
		t.Errorf("told: %s", got)
	}
	told.Reset()
	s.TellSkew(time.Second)
	if told.Len() > 0 {
		t.Errorf("told: %s", told.String())
	}
}
