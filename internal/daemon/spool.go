package daemon

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/spool/pgspool"
)

// openSpool opens the engine that a configuration names.
func (w *World) openSpool(c *config.Config) (spool.Engine, error) {
	if c.Spool.Shared() {
		return w.openShared(c)
	}
	return pebblespool.Open(filepath.Join(c.Data.Value, "spool"), pebblespool.Options{
		Random: w.Random, Log: w.Log,
		LargeBody:   int(c.Spool.FileBodies.Value),
		DraftMemory: c.Spool.DraftMemory.Value,
		MinFree:     c.Spool.Reserve.Value,
		KeepFacts:   c.Journal.Keep.Value,
		FactBytes:   c.Journal.Size.Value,
		LatestRetry: latestRetry(c),
	})
}

// openShared opens the engine that several nodes share. The data directory holds what
// is this node's own.
func (w *World) openShared(c *config.Config) (spool.Engine, error) {
	if err := os.MkdirAll(c.Data.Value, 0o700); err != nil {
		return nil, err
	}
	ctx := context.Background() // the engine has a limit of its own
	address, err := w.database(ctx, c)
	if err != nil {
		return nil, err
	}
	o := w.sharedOptions(c)
	o.Node = c.NodeName()
	engine, err := pgspool.Open(ctx, address, o)
	if err != nil {
		return nil, &DatabaseError{c.Spool.Postgres.Origin, err}
	}
	return engine, nil
}

func (w *World) sharedOptions(c *config.Config) pgspool.Options {
	o := pgspool.Options{
		Version: w.Version, Dial: w.anywhere, Random: w.Random, Log: w.Log,
		DraftMemory: c.Spool.DraftMemory.Value,
		KeepFacts:   c.Journal.Keep.Value,
		FactBytes:   c.Journal.Size.Value,
	}
	if c.Spool.Durability.Value == config.DurablePrimary {
		o.Durability = pgspool.Primary
	}
	return o
}

// database is the address of the database with its password, which nobody is to see. Over the
// network TLS is always used, with a certificate that bears the host's name; not on this machine.
func (w *World) database(ctx context.Context, c *config.Config) (string, error) {
	s := &c.Spool
	u, err := url.Parse(s.Postgres.Value)
	if err != nil {
		return "", fmt.Errorf("%s: the address of the database is none", s.Postgres.Origin)
	}
	if s.Password.Given() {
		text, err := w.secret(ctx, &s.Password)
		if err != nil {
			return "", config.Problems{c.Problem(s.Password.Origin(), err.Error())}
		}
		first, _, _ := bytes.Cut(text, []byte("\n"))
		u.User = url.UserPassword(u.User.Username(), strings.TrimRight(string(first), "\r"))
	}
	q := u.Query()
	q.Set("sslmode", "verify-full")
	switch {
	case s.Local():
		q.Set("sslmode", "disable")
	case s.CA.Given():
		q.Set("sslrootcert", s.CA.Value)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// OpenSpool opens the spool of a configuration for a command that works while no house does.
// It is nobody's node. Errors are those of [New].
func OpenSpool(ctx context.Context, c *config.Config, w World) (spool.Engine, error) {
	w.setDefaults()
	if !c.Spool.Shared() {
		return w.openSpool(c)
	}
	address, err := w.database(ctx, c)
	if err != nil {
		return nil, err
	}
	engine, err := pgspool.Open(ctx, address, w.sharedOptions(c))
	if err != nil {
		return nil, &DatabaseError{c.Spool.Postgres.Origin, err}
	}
	return engine, nil
}

// MigrateSpool brings the tables of a shared spool to the version of this program.
func MigrateSpool(ctx context.Context, c *config.Config, w World) (from, to int, err error) {
	w.setDefaults()
	address, err := w.database(ctx, c)
	if err != nil {
		return 0, 0, err
	}
	if from, to, err = pgspool.Migrate(ctx, address, w.sharedOptions(c)); err != nil {
		err = &DatabaseError{c.Spool.Postgres.Origin, err}
	}
	return from, to, err
}

// DatabaseError says why a shared spool cannot be used.
type DatabaseError struct {
	At  mail.Origin // of its address
	Err error
}

func (e *DatabaseError) Error() string { return fmt.Sprintf("%s: %v", e.At, e.Err) }

// Unwrap returns the reason.
func (e *DatabaseError) Unwrap() error { return e.Err }
