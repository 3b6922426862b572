// Package dkim is the command "posthouse dkim": it lists the keys that sign mail, and
// changes them for others without a gap.
package dkim

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/plainfile"
)

// options are the flags.
type options struct {
	config, data string
	json         bool
	servers      []string
	goOn         bool
	pace         dkimkeys.Pace
}

// Command returns "posthouse dkim".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "dkim",
		Short: "List the keys that sign mail, and change them for others",
		Long: `List the keys that sign mail, and change them for others. The first ones of a domain
are made by "posthouse domain add". Keys are files below the data directory, in
dkim/DOMAIN; the daemon reads them when it starts and at "posthouse reload".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVarP(&o.config, "config", "C", "", "the daemon's configuration (default: "+cli.ConfigVariable+", then "+cli.SystemConfig+")")
	f.StringVar(&o.data, "data", "", "`DIR` of the daemon's data, in place of what the configuration says")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.AddCommand(o.list(), o.rotate())
	return cmd
}

func (o *options) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list [DOMAIN]",
		Short: "Print the keys, and what each does now",
		Long: `Print the keys of a domain, or of all that have some, and what each does now: it
waits to be seen in the DNS, it signs, it is kept for mail that it has signed, or it
is over and its record may leave the DNS.`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := o.dir()
			if err != nil {
				return err
			}
			domains := args
			if len(args) == 0 {
				if domains, err = dkimkeys.Domains(dir); err != nil {
					return cli.Fail(cli.NoInput, "%w", err)
				}
			}
			var all []dkimkeys.Key
			for _, d := range domains {
				keys, err := read(dir, d)
				if err != nil {
					return err
				}
				all = append(all, keys...)
			}
			return o.printList(cmd.OutOrStdout(), all, time.Now())
		},
	}
}

func (o *options) rotate() *cobra.Command {
	const day = 24 * time.Hour
	var after, keep int
	cmd := &cobra.Command{
		Use:   "rotate DOMAIN",
		Short: "Change the keys of a domain for others, a step at a time",
		Long: `Change the keys of a domain for others, a step at a time. Call it again and again;
each time it does the step whose time has come, and says what the next one is:

  1. New keys are made. Their records are printed, to be put into the DNS. The old
     keys go on signing.
  2. When the DNS has the records, the new keys sign, and the old ones no more. With
     --after they do so when that time is over, by themselves.
  3. The records of the old keys stay for some days (--keep), for those who verify
     mail that was on its way. Then it says to take them out.
  4. When they are gone from the DNS, the files of the old keys are removed.

With --continue it never does the first step: so it can be called by a timer. After a
step that changes which key signs, "posthouse reload" tells the daemon.`,
		Example: `  posthouse dkim rotate example.org
  posthouse dkim rotate example.org --continue
  posthouse dkim rotate example.org --after 3 --keep 14`,
		Args: cli.One("the domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if after < 0 || keep < 1 || after > 365 || keep > 365 {
				return cli.Fail(cli.Usage, "--after is 0 to 365 days, and --keep 1 to 365")
			}
			o.pace = dkimkeys.Pace{After: time.Duration(after) * day, Keep: time.Duration(keep) * day}
			t, err := o.turn(args[0])
			if err != nil {
				return err
			}
			done, err := t.step(cmd.Context())
			if err != nil {
				return err
			}
			return o.printStep(cmd.OutOrStdout(), done)
		},
	}
	f := cmd.Flags()
	f.IntVar(&after, "after", 0, "`DAYS` after which new keys sign, whether the DNS has them or not; 0: when it has them")
	f.IntVar(&keep, "keep", 7, "`DAYS` for which the records of old keys stay")
	f.BoolVar(&o.goOn, "continue", false, "only go on with what has begun")
	f.StringSliceVar(&o.servers, "dns", nil, "ask the resolver at `ADDRESS[:PORT]`; may come again; default: those of the system")
	return cmd
}

// dir is where the keys are.
func (o *options) dir() (string, error) {
	where, err := cli.FindHouse(o.config, o.data)
	return filepath.Join(where.Data, dkimkeys.Folder), err
}

func read(dir, domain string) ([]dkimkeys.Key, error) {
	name, err := dns.ParseName(domain)
	if err != nil || name.IsRoot() {
		return nil, cli.Fail(cli.Usage, "%q is no domain (write example.org)", domain)
	}
	keys, err := dkimkeys.Read(plainfile.Disk{}, dir, name.String())
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.Fail(cli.NoPerm, "%w (keys are for the daemon and for root)", err)
	case err != nil:
		return nil, cli.Fail(cli.NoInput, "%w", err)
	}
	return keys, nil
}

// turn is a step of a rotation that is to be done.
type turn struct {
	*options
	dir    string
	domain string
	now    time.Time
	asks   authdns.Resolver
}

func (o *options) turn(domain string) (*turn, error) {
	dir, err := o.dir()
	if err != nil {
		return nil, err
	}
	c, err := cli.Resolver(o.servers)
	if err != nil {
		return nil, err
	}
	return &turn{options: o, dir: dir, domain: domain, now: time.Now(), asks: authdns.Resolver{DNS: c}}, nil
}

// did is what a step came to.
type did struct {
	domain string
	step   dkimkeys.Step
	idle   bool           // nothing has begun
	keys   []dkimkeys.Key // as they stand now
	now    time.Time
}

// step does the step whose time has come.
func (t *turn) step(ctx context.Context) (*did, error) {
	keys, err := read(t.dir, t.domain)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, cli.Fail(cli.NoInput, "%s has no keys (posthouse domain add %[1]s makes them)", t.domain)
	}
	t.domain = keys[0].Domain // as it is written in names
	d := &did{domain: t.domain, now: t.now}
	d.step = dkimkeys.Next(entries(keys), t.now, func(e *dkimkeys.Entry) bool { return t.seen(ctx, keys, e) })
	if d.step == dkimkeys.Begin && t.goOn {
		d.idle = true
	} else if err := t.change(d.step); err != nil {
		return nil, err
	}
	d.keys, err = read(t.dir, t.domain)
	return d, err
}

func entries(keys []dkimkeys.Key) []dkimkeys.Entry {
	all := make([]dkimkeys.Entry, len(keys))
	for i := range keys {
		all[i] = keys[i].Entry
	}
	return all
}

// change does what a step changes in the files.
func (t *turn) change(step dkimkeys.Step) error {
	var selectors []string
	if step == dkimkeys.Begin {
		pair, err := dkimkeys.MakePair(t.dir, t.domain, t.now)
		if err != nil {
			return unwritable(err)
		}
		selectors = []string{pair[0].Selector, pair[1].Selector}
	}
	var change func(all []dkimkeys.Entry) []dkimkeys.Entry
	switch step {
	case dkimkeys.Begin:
		change = func(all []dkimkeys.Entry) []dkimkeys.Entry { return dkimkeys.Added(all, selectors, t.now, t.pace) }
	case dkimkeys.Switch:
		change = func(all []dkimkeys.Entry) []dkimkeys.Entry { return dkimkeys.Switched(all, t.now, t.pace) }
	case dkimkeys.Forget:
		change = func(all []dkimkeys.Entry) []dkimkeys.Entry { return dkimkeys.Forgotten(all, t.now) }
	default:
		return nil
	}
	return unwritable(dkimkeys.Edit(t.dir, t.domain, func(all []dkimkeys.Entry) ([]dkimkeys.Entry, error) { return change(all), nil }))
}

func unwritable(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "%w (keys are changed by the user of the daemon, or by root)", err)
	case err != nil:
		return cli.Fail(cli.CantCreate, "%w", err)
	}
	return nil
}
