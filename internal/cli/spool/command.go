// Package spool is the command "posthouse spool": it reads all that a spool holds and
// tells what is damaged (command.go), and moves a queue to another spool (copy.go).
package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
)

type options struct {
	house   client.Flags
	offline bool
	repair  bool
	yes     bool
	json    bool
}

// Command returns "posthouse spool".
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look after the mail on the disk",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(checkCommand(), copyCommand(), releaseCommand(), migrateCommand())
	return cmd
}

func checkCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read all that the spool holds, and tell what is damaged",
		Long: `Read all that the spool holds, and tell what is damaged: the checksum of each
envelope and each body, the indexes, the journal, files that are missing and
files that belong to no message. What is in quarantine is listed. Nothing is
changed, unless --repair says so.

A running posthouse does it while it works. With --offline the data directory is
read by this command, which only works while no posthouse runs on it; that of
--data, or else that of the configuration. The status is 65 if anything is
damaged.

With --offline --repair what was found is mended, once that is confirmed, and no
mail is taken away: damaged messages go into quarantine, entries of an index
that lead nowhere are dropped, missing ones written again, counts set right, and
body files that no message names removed. Then it is told what is left.`,
		Example: `  posthouse spool check
  posthouse spool check --offline --data /var/lib/posthouse
  posthouse spool check --offline --repair --yes`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			checked, err := o.check(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.repair && len(checked.Problems) > 0 {
				return o.mend(cmd, checked)
			}
			return o.print(checked, cmd.OutOrStdout())
		},
	}
	o.house.Add(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.offline, "offline", false, "read the data directory of a posthouse that does not run")
	f.BoolVar(&o.repair, "repair", false, "with --offline: mend what can be mended")
	f.BoolVar(&o.yes, "yes", false, "with --repair: do not ask")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) check(ctx context.Context, errs io.Writer) (*admin.Checked, error) {
	if o.offline {
		return o.checkOffline(ctx, errs)
	}
	c, err := o.house.Client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b := bar{out: errs}
	defer b.done()
	return c.Check(ctx, b.show)
}

// complete looks for flags that do not go together.
func (o *options) complete() error {
	switch {
	case o.offline && o.house.Socket != "":
		return cli.Fail(cli.Usage, "--socket means a posthouse that runs, and --offline one that does not")
	case o.repair && !o.offline:
		return cli.Fail(cli.Usage, "a posthouse that runs mends nothing but what it comes by (end it, and say --offline --repair)")
	}
	return nil
}

// checkOffline reads the spool itself.
func (o *options) checkOffline(ctx context.Context, errs io.Writer) (*admin.Checked, error) {
	data, dir, err := o.find()
	if err != nil {
		return nil, err
	}
	b := bar{out: errs}
	defer b.done()
	found, quarantine, err := pebblespool.Check(ctx, dir, pebblespool.Options{}, func(n int64) { b.show(n, 0) })
	if err != nil {
		return nil, fault(data, err)
	}
	return admin.CheckedOf(&found, quarantine), nil
}

// find finds the data directory, and the spool in it.
func (o *options) find() (data, dir string, err error) {
	where, err := cli.FindHouse(o.house.Config, o.house.Data)
	if err != nil {
		return "", "", err
	}
	dir = filepath.Join(where.Data, "spool")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", "", cli.Fail(cli.NoInput, "there is no spool in %s (--data DIR or --config FILE name the data directory)", where.Data)
	}
	return where.Data, dir, nil
}

// fault says why a spool could not be read.
func fault(data string, err error) error {
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return cli.Fail(cli.TempFail, "%s is in use by a posthouse that runs (without --offline it is asked to check)", data)
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "%w", err)
	}
	return cli.Fail(cli.DataErr, "%w", err)
}

// bar shows on a terminal how far a check has come.
type bar struct {
	out      io.Writer
	label    string // "": checking
	progress *cli.Progress
	at       int64
}

func (b *bar) show(read, total int64) {
	if b.progress == nil {
		b.progress = cli.NewProgress(b.out, cmp.Or(b.label, "checking"), max(total, read), func(n int64) string { return fmt.Sprint(n) })
	}
	b.progress.Add(read - b.at)
	b.at = read
}

func (b *bar) done() { b.progress.Done() }

func (o *options) print(c *admin.Checked, out io.Writer) error {
	err := cli.Answer(out, o.json, c, report(c, cli.NewPage(out)).Print)
	if err == nil && len(c.Problems)+len(c.Damaged) > 0 {
		return cli.End(cli.DataErr)
	}
	return err
}

// report tells what was read, and what is wrong.
func report(c *admin.Checked, p *cli.Page) *cli.Page {
	p.Text("Read ", fmt.Sprintf("%s (%s, %s) for %s, and %s of the journal.",
		cli.Count(c.Messages, "message"), cli.Octets(c.Bytes), cli.Count(c.Files, "body file"),
		cli.Count(c.Recipients, "recipient"), cli.Count(c.Facts, "entry")))
	for _, x := range c.Problems {
		id := ""
		if x.ID != nil {
			id = x.ID.String() + ": "
		}
		p.Text("- ", id+x.What)
	}
	if c.More {
		p.Line("- and more; these are the first", fmt.Sprint(len(c.Problems)))
	}
	for _, d := range c.Damaged {
		p.Text("- ", fmt.Sprintf("%s: in quarantine since %s: %s", d.ID, d.At.Local().Format(time.DateTime), d.What))
	}
	if len(c.Problems)+len(c.Damaged) == 0 {
		p.Line("Nothing is damaged.")
		return p
	}
	p.Line(fmt.Sprintf("%s, %s in quarantine.", cli.Count(len(c.Problems), "problem"), cli.Count(c.Quarantined, "message")))
	return p
}
