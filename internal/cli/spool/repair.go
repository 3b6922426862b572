package spool

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

// repaired is the answer in JSON.
type repaired struct {
	Found  *admin.Checked `json:"found"`
	Mended int64          `json:"mended"` // faults, those that showed only then included
	Left   *admin.Checked `json:"left"`
}

// mend shows what was found, asks, and repairs.
func (o *options) mend(cmd *cobra.Command, found *admin.Checked) error {
	out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if !o.json {
		if err := report(found, cli.NewPage(out)).Print(out); err != nil {
			return err
		}
	}
	if !o.yes {
		yes, err := cli.Confirm(cmd.InOrStdin(), errs, "Mend them?", "--yes")
		if err != nil || !yes {
			return err
		}
	}
	r, err := o.repaired(cmd.Context(), errs)
	if err != nil {
		return err
	}
	r.Found = found
	return o.printRepaired(r, out)
}

func (o *options) repaired(ctx context.Context, errs io.Writer) (*repaired, error) {
	data, dir, err := o.find()
	if err != nil {
		return nil, err
	}
	b := bar{out: errs}
	defer b.done()
	r, err := pebblespool.Repair(ctx, dir, pebblespool.Options{MinFree: -1, Ballast: -1}, func(n int64) { b.show(n, 0) })
	if err != nil {
		return nil, fault(data, err)
	}
	return &repaired{Mended: r.Mended, Left: admin.CheckedOf(&r.Left, r.Quarantine)}, nil
}

// printRepaired tells what was done, and what is left.
func (o *options) printRepaired(r *repaired, out io.Writer) error {
	p := cli.NewPage(out)
	p.Blank()
	p.Line(cli.Count(r.Mended, "fault"), "mended. What is there now:")
	p.Blank()
	err := cli.Answer(out, o.json, r, report(r.Left, p).Print)
	if err == nil && len(r.Left.Problems)+len(r.Left.Damaged) > 0 {
		return cli.End(cli.DataErr)
	}
	return err
}
