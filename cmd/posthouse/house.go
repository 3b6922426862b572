package main

import (
	"context"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/cli/sendmail"
)

// house is the running daemon.
type house struct{}

func (house) Waiting(ctx context.Context, w cli.Where, each func(sendmail.Waiting) error) error {
	return cli.Fail(cli.Unavailable, "wip")
}
func (house) Retry(ctx context.Context, w cli.Where, filter string) (int, error) {
	return 0, cli.Fail(cli.Unavailable, "wip")
}
func (house) Reload(ctx context.Context, w cli.Where) error { return cli.Fail(cli.Unavailable, "wip") }
