package pgspool

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/posthouse/posthouse/internal/spool"
)

// Codes of PostgreSQL that are told apart (its manual, appendix A).
const (
	codeDiskFull       = "53100"
	codeNoTable        = "42P01"
	codeNoFunction     = "42883"
	codeNotAllowed     = "42501"
	codeBadPassword    = "28P01"
	codeNoLogin        = "28000"
	codeNoDatabase     = "3D000"
	codeReadOnly       = "25006"
	codeDeadlock       = "40P01"
	codeSerialization  = "40001"
	codeUnique         = "23505"
	codeTooMany        = "53300"
	codeWarning        = "01000"
	classConnection    = "08"
	severityOfAnAnswer = "ERROR" // FATAL and PANIC end the connection, whatever became of the transaction
)

var (
	errStandby  = errors.New("the synchronous standby is not connected: nothing is taken until it is (durability)")
	errSlow     = errors.New("the synchronous standby is connected, and commits wait for it longer than " + patience.String() + ": nothing is taken until it keeps up")
	errReadOnly = errors.New("the database is a standby, or read-only: nothing is taken until it is a primary")
)

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// told turns an error of the database into one of the contract, without the
// words of a statement, an address of which a password is part, or lines of its own.
func told(err error) error {
	if err == nil {
		return nil
	}
	var connect *pgconn.ConnectError
	var parse *pgconn.ParseConfigError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &parse):
		return errors.New("the address of the database is none: write postgres://USER@HOST/DATABASE")
	case errors.As(err, &pg):
		return toldBy(pg)
	case errors.As(err, &connect):
		return fmt.Errorf("the database is not to be reached: %w", innermost(connect))
	}
	return err
}

// innermost is the reason, without the user and host that are before it.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if many, is := err.(interface{ Unwrap() []error }); is && len(many.Unwrap()) > 0 {
			next = many.Unwrap()[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

func toldBy(pg *pgconn.PgError) error {
	text := "the database says: " + oneLine(pg.Message)
	switch pg.Code {
	case codeDiskFull:
		return fmt.Errorf("%w: %s", spool.ErrFull, text)
	case codeNoTable, codeNoFunction:
		return fmt.Errorf("%s: make the spool's tables with \"posthouse spool migrate\"", text)
	case codeNotAllowed:
		return fmt.Errorf("%s: the role must own the schema of the spool, and be a member of pg_monitor", text)
	case codeBadPassword, codeNoLogin:
		return fmt.Errorf("%s: see the password in the configuration, and pg_hba.conf of the database", text)
	case codeNoDatabase:
		return fmt.Errorf("%s: make it with createdb, then its tables with \"posthouse spool migrate\"", text)
	case codeReadOnly:
		return fmt.Errorf("%w: %s", errReadOnly, text)
	case codeTooMany:
		return fmt.Errorf("%s: give it a larger max_connections", text)
	}
	return fmt.Errorf("%s (SQLSTATE %s)", text, pg.Code)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// doubtful reports whether a transaction that ended with the error may have
// taken effect: its end was sent, and no answer came that says no.
func doubtful(err error) bool {
	if err == nil || pgconn.SafeToRetry(err) {
		return false
	}
	var connect *pgconn.ConnectError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &connect):
		return false
	case errors.As(err, &pg):
		return pg.Severity != severityOfAnAnswer && pg.SeverityUnlocalized != severityOfAnAnswer || strings.HasPrefix(pg.Code, classConnection)
	}
	return true
}

// inDoubt is the error of a transaction whose end was sent.
func inDoubt(err error) error {
	if doubtful(err) {
		return fmt.Errorf("%w: %w", spool.ErrInDoubt, told(err))
	}
	return told(err)
}

// again reports whether a transaction was ended for the sake of others, and may be tried again.
func again(err error) bool {
	c := code(err)
	return c == codeDeadlock || c == codeSerialization
}
