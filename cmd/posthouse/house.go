package main

import (
	"context"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/cli/sendmail"
)

// house stands for the running daemon until there is a way to ask it.
type house struct{}

var errUnasked = cli.Fail(cli.Unavailable, "a running daemon cannot be asked yet (SIGHUP has it read its configuration again)")

func (house) Waiting(context.Context, cli.Where, func(sendmail.Waiting) error) error {
	return errUnasked
}
func (house) Retry(context.Context, cli.Where, string) (int, error) { return 0, errUnasked }
func (house) Reload(context.Context, cli.Where) error               { return errUnasked }
