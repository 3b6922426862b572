package spool

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/transfer"
)

// open opens a spool by what a person calls it: a data directory, or a configuration of
// which the spool is meant. A directory that is not there is made if it may be. The caller closes it.
func open(ctx context.Context, what string, mayMake bool) (transfer.End, error) {
	c, err := named(what)
	if err != nil {
		return transfer.End{}, err
	}
	name, err := c.Spool.Postgres.Value, error(nil)
	if !c.Spool.Shared() {
		name, err = directory(what, c.Data.Value, mayMake)
	}
	if err != nil {
		return transfer.End{}, err
	}
	// Nothing of the journal goes while it is copied: the house that opens it says what
	// is kept.
	c.Journal.Keep.Value, c.Journal.Size.Value = 100*365*24*time.Hour, math.MaxInt64
	engine, err := daemon.OpenSpool(ctx, c, daemon.World{})
	if err != nil {
		return transfer.End{}, faultAt(what, err)
	}
	e, able := engine.(transfer.Engine)
	if !able {
		return transfer.End{}, errors.Join(cli.Fail(cli.Unavailable, "%s: this spool cannot be copied", what), engine.Close())
	}
	return transfer.End{Engine: e, Name: name}, nil
}

// named is the configuration of a spool that a person has named.
func named(what string) (*config.Config, error) {
	info, err := os.Stat(what)
	if strings.HasSuffix(what, ".hcl") || err == nil && info.Mode().IsRegular() {
		return readConfig(what)
	}
	c, err := config.Parse("built in", []byte(`hostname = "localhost"`), config.Options{})
	if err == nil {
		c.Data.Value = what
	}
	return c, err
}

// readConfig reads a configuration; what is wrong with it is told by "config check".
func readConfig(name string) (*config.Config, error) {
	c, err := cli.ReadConfig(name)
	var problems config.Problems
	if errors.As(err, &problems) {
		return nil, cli.Fail(cli.Config, "%w (posthouse config check %s tells more)", problems[0], name)
	}
	return c, err
}

// directory looks for the spool of a data directory, and returns the full name of that.
func directory(what, data string, mayMake bool) (string, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return "", cli.Fail(cli.OSErr, "%w", err)
	}
	_, err = os.Stat(filepath.Join(data, "spool"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !mayMake:
		return "", cli.Fail(cli.NoInput, "there is no spool in %s (name the data directory or the configuration of a posthouse)", what)
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(data, 0o700)
	}
	if err != nil {
		return "", faultAt(what, err)
	}
	return data, nil
}

// faultAt says why a spool could not be opened.
func faultAt(what string, err error) error {
	var database *daemon.DatabaseError
	var problems config.Problems
	switch {
	case errors.As(err, &database):
		return cli.Fail(cli.Unavailable, "%w", err)
	case errors.As(err, &problems):
		return cli.Fail(cli.Config, "%w", err)
	case errors.Is(err, syscall.EAGAIN):
		return cli.Fail(cli.TempFail, "%s is in use by a posthouse that runs (end it first)", what)
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "%s: %w", what, err)
	}
	return cli.Fail(cli.DataErr, "%s: %w", what, err)
}

// shut closes both ends, the source first: what it says of the copy is durable then.
func shut(err error, ends ...transfer.End) error {
	for _, e := range ends {
		if fault := e.Engine.Close(); fault != nil {
			err = errors.Join(err, cli.Fail(cli.IOErr, "%s: %w", e.Name, fault))
		}
	}
	return err
}

// statusOf is the status with which a copy ends that went wrong.
func statusOf(err error) error {
	status, advice := cli.IOErr, " (the source is as it was; the same command goes on from here)"
	switch {
	case errors.Is(err, transfer.ErrNotEmpty):
		status, advice = cli.CantCreate, " (copy into a new one)"
	case errors.Is(err, transfer.ErrMarked):
		status, advice = cli.CantCreate, ""
	case errors.Is(err, transfer.ErrInUse):
		status, advice = cli.TempFail, " (end it, and wait until its leases are over)"
	case errors.Is(err, transfer.ErrDiffers):
		status, advice = cli.DataErr, " (the source is as it was: copy into a new target, and report this)"
	case errors.Is(err, spool.ErrFull):
		status, advice = cli.TempFail, " (make room; the same command goes on from here)"
	}
	return cli.Fail(status, "%w%s", err, advice)
}
