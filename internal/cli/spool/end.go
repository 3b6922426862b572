package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/spool/transfer"
)

// open opens a spool by what a person calls it: a data directory. One that is not there is
// made if it may be. The caller closes it.
func open(what string, mayMake bool) (transfer.End, error) {
	data, err := filepath.Abs(what)
	if err != nil {
		return transfer.End{}, cli.Fail(cli.OSErr, "%w", err)
	}
	dir := filepath.Join(data, "spool")
	_, err = os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !mayMake:
		return transfer.End{}, cli.Fail(cli.NoInput, "there is no spool in %s (name the data directory of a posthouse)", what)
	case errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(data, 0o700)
	}
	if err != nil {
		return transfer.End{}, faultAt(what, err)
	}
	// Nothing of the journal goes while it is copied: the house that opens it says what
	// is kept.
	engine, err := pebblespool.Open(dir, pebblespool.Options{KeepFacts: 100 * 365 * 24 * time.Hour, FactBytes: math.MaxInt64})
	if err != nil {
		return transfer.End{}, faultAt(what, err)
	}
	return transfer.End{Engine: engine, Name: data}, nil
}

// faultAt says why a spool could not be opened.
func faultAt(what string, err error) error {
	switch {
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
	status := cli.IOErr
	switch {
	case errors.Is(err, transfer.ErrNotEmpty), errors.Is(err, transfer.ErrMarked):
		status = cli.CantCreate
	case errors.Is(err, transfer.ErrInUse):
		status = cli.TempFail
	case errors.Is(err, transfer.ErrDiffers):
		status = cli.DataErr
	}
	return cli.Fail(status, "%w", fmt.Errorf("%w%s", err, advice(err)))
}

// advice is what to do about it.
func advice(err error) string {
	switch {
	case errors.Is(err, transfer.ErrNotEmpty):
		return " (copy into a new one)"
	case errors.Is(err, transfer.ErrInUse):
		return " (end it, and wait until its leases are over)"
	case errors.Is(err, transfer.ErrMarked):
		return ""
	case errors.Is(err, transfer.ErrDiffers):
		return " (the source is as it was: copy into a new target, and report this)"
	}
	return " (the source is as it was; the same command goes on from here)"
}
