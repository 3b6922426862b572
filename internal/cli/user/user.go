// Package user is the command "posthouse user": it adds, changes, lists and removes
// those who may log in, in the file that the configuration names.
package user

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/directory/userfile"
)

// Command returns "posthouse user".
func Command() *cobra.Command {
	w := &where{}
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change, list and remove those who may log in",
		Long: `Add, change, list and remove those who may log in to submit mail: they stand in
the file that the configuration names in users { file = ... }. The daemon takes a
change over at once.

A password is typed on the terminal, which does not show it, or is the first line
of a file or of the standard input. It is never an argument, which others on this
machine could see. It is kept as argon2id, and as a verifier for SCRAM-SHA-256;
nobody can read it from the file. For CRAM-MD5 nothing is kept, unless --cram-md5
says so.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVarP(&w.config, "config", "C", "", "the daemon's configuration (default: "+cli.ConfigVariable+", then "+cli.SystemConfig+")")
	flags.StringVar(&w.file, "file", "", "the file of users, instead of the one that the configuration names")
	flags.BoolVar(&w.json, "json", false, "print one JSON object")
	cmd.AddCommand(addCommand(w), passwdCommand(w), listCommand(w), removeCommand(w))
	return cmd
}

// where is which file is meant, and how to tell of it.
type where struct {
	config, file string
	json         bool
}

// name returns the name of the file of users.
func (w *where) name(cmd *cobra.Command) (string, error) {
	if w.file != "" {
		return w.file, nil
	}
	name := cmp.Or(w.config, os.Getenv(cli.ConfigVariable), cli.SystemConfig)
	c, err := cli.ReadConfig(name)
	var found config.Problems
	switch {
	case errors.As(err, &found):
		return "", errors.Join(cli.TellProblems(cmd.ErrOrStderr(), name, found), cli.End(cli.Config))
	case err != nil:
		return "", err
	case !c.Users.File.Given():
		return "", cli.Fail(cli.Config, `%s names no file of users (write users { file = "users" }, or say --file)`, name)
	}
	return c.Users.File.Value, nil
}

// edit makes a change to the file, and tells that it was made.
func (w *where) edit(cmd *cobra.Command, file, done, user string, change func(*userfile.Change) error) error {
	err := userfile.Edit(file, change)
	switch {
	case errors.Is(err, userfile.ErrMissing):
		return cli.Fail(cli.NoUser, "%s: %w (posthouse user list prints all)", user, err)
	case errors.Is(err, userfile.ErrExists):
		return cli.Fail(cli.CantCreate, "%s: %w (posthouse user passwd changes the password)", user, err)
	case errors.Is(err, os.ErrPermission):
		return cli.Fail(cli.NoPerm, "%w", err)
	case errors.Is(err, os.ErrNotExist):
		return cli.Fail(cli.CantCreate, "%w", err)
	case err != nil:
		return cli.Fail(cli.IOErr, "%w", err)
	}
	words := fmt.Sprintf("%s %s in %s\n", cli.Printable(user), done, cli.Printable(file))
	return cli.Answer(cmd.OutOrStdout(), w.json, map[string]string{"user": user, "done": done, "file": file}, cli.Words(words))
}

func addCommand(w *where) *cobra.Command {
	var from source
	var sends string
	var none bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, and make the file if there is none",
		Long: `Add a user, and make the file, with mode 0600, if there is none.

A name is best the address of the user. By default the configuration says as whom
somebody may send (users { senders = ... }); --sends says it for this user.

With --cram-md5 the user can log in by CRAM-MD5 too, where a listener has
cram_md5 = true. It is for old devices that know nothing else. What is kept for it
lets in whoever steals the file, and passwords are fast to try on it: give such a
device a long password of its own, and as few senders as it needs.`,
		Example: `  posthouse user add jane@example.org
  posthouse user add robot --sends 'robot@example.org,*@lists.example.org' --password-file secret`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if none && (from.file != "" || from.cramMD5) {
				return cli.Fail(cli.Usage, "--no-password goes with neither --password-file nor --%s", cramFlag)
			}
			u := &userfile.User{Name: directory.FoldName(args[0])}
			if err := userfile.CheckName(u.Name); err != nil {
				return cli.Fail(cli.Usage, "%w", err)
			}
			if sends != "" {
				s, err := userfile.ParseSenders(sends)
				if err != nil {
					return cli.Fail(cli.Usage, "--sends: %w", err)
				}
				u.Sends = s
			}
			file, err := w.name(cmd)
			if err == nil && !none {
				fresh := &userfile.User{}
				err = from.give(cmd, fresh)
				from.renew(cmd, u, fresh)
			}
			if err != nil {
				return err
			}
			return w.edit(cmd, file, "added", u.Name, func(c *userfile.Change) error { return c.Add(u) })
		},
	}
	from.flag(cmd)
	cmd.Flags().StringVar(&sends, "sends", "", `as whom the user may send: own, domain, any, or addresses with commas between them ("*@example.org" for a domain)`)
	cmd.Flags().BoolVar(&none, "no-password", false, "the user has no password, and logs in with a certificate only")
	return cmd
}

func passwdCommand(w *where) *cobra.Command {
	var from source
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Give a user another password",
		Long: `Give a user another password. What CRAM-MD5 needs of it is kept if something was
kept before, or with --cram-md5; with --cram-md5=false no longer.`,
		Example: `  posthouse user passwd jane@example.org`,
		Args:    oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			fresh := &userfile.User{Name: directory.FoldName(args[0])}
			file, err := w.name(cmd)
			if err == nil {
				err = from.give(cmd, fresh)
			}
			if err != nil {
				return err
			}
			return w.edit(cmd, file, "changed", fresh.Name, func(c *userfile.Change) error {
				return c.Update(fresh.Name, func(u *userfile.User) error {
					from.renew(cmd, u, fresh)
					return nil
				})
			})
		},
	}
	from.flag(cmd)
	return cmd
}

func removeCommand(w *where) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user",
		Long: `Remove a user. Mail that was submitted before is delivered, and sessions that are
open go on to their end.`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := directory.FoldName(args[0])
			file, err := w.name(cmd)
			if err != nil {
				return err
			}
			return w.edit(cmd, file, "removed", name, func(c *userfile.Change) error { return c.Remove(name) })
		},
	}
}

// oneName is the Args of a command about a user. What else stands there may be a
// password, and is not told again.
func oneName(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("the name of the user is missing")
	case len(args) > 1:
		return errors.New("one name is enough; a password is not given here, but typed or in a file")
	}
	return nil
}

func listCommand(w *where) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print all users",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := w.name(cmd)
			if err != nil {
				return err
			}
			users, err := userfile.List(file)
			if err != nil {
				return cli.Fail(cli.NoInput, "%w", err)
			}
			list := listing{file, rows(users)}
			return cli.Answer(cmd.OutOrStdout(), w.json, list, list.print)
		},
	}
}

// listing is all users as JSON.
type listing struct {
	File  string `json:"file"`
	Users []row  `json:"users"`
}

type row struct {
	Name     string `json:"name"`
	Password bool   `json:"password"`
	SCRAM    bool   `json:"scram"`
	CRAMMD5  bool   `json:"cram_md5"`
	Sends    string `json:"sends,omitempty"` // none: as the configuration says
}

func rows(users []*userfile.User) []row {
	all := make([]row, len(users))
	for i, u := range users {
		all[i] = row{Name: u.Name, Password: u.Password != nil, SCRAM: u.SCRAM != nil, CRAMMD5: u.CRAM != nil}
		if u.Sends != nil {
			all[i].Sends = userfile.FormatSenders(u.Sends)
		}
	}
	return all
}

func (l *listing) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "USER\tLOGS IN WITH\tSENDS AS")
	for _, r := range l.Users {
		fmt.Fprintf(t, "%s\t%s\t%s\n", cli.Printable(r.Name), r.with(), cli.Printable(cmp.Or(strings.ReplaceAll(r.Sends, ",", ", "), "by default")))
	}
	return t.Flush()
}

func (r row) with() string {
	var with []string
	for _, x := range []struct {
		is   bool
		what string
	}{{r.Password, "password"}, {r.SCRAM, "SCRAM"}, {r.CRAMMD5, "CRAM-MD5"}} {
		if x.is {
			with = append(with, x.what)
		}
	}
	return cmp.Or(strings.Join(with, ", "), "certificate")
}
