//go:build linux

package main

import (
	"context"
	"errors"
)

func printBudget(ctx context.Context, scratch string, o options) error {
	return errors.New("soon")
}
