package pebblespool

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// CheckAll is Check, and lists what is in quarantine, at most [spool.MaxPage] messages.
func CheckAll(ctx context.Context, dir string, opts Options, progress func(messages int64)) (spool.Checked, []spool.Damage, error) {
	s, err := open(dir, opts, true)
	if err != nil {
		return spool.Checked{}, nil, fmt.Errorf("check spool %s: %w", dir, err)
	}
	checked, err := s.Check(ctx, progress)
	var quarantine []spool.Damage
	if err == nil {
		quarantine, err = s.Damaged(ctx, mail.ID{}, spool.MaxPage)
	}
	return checked, quarantine, errors.Join(err, s.Close())
}
