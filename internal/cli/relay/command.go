// Package relay is the command "posthouse relay": how it is with the relays that want
// OAuth 2 rather than a password, and the logins of people there.
package relay

import (
	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

type options struct {
	house client.Flags
	json  bool
	token string // file of a refresh token that was got elsewhere
}

// Command returns "posthouse relay".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "Log in at relays that want OAuth 2, and see how it is with them",
		Long: `Log in at relays that want OAuth 2 rather than a password, such as those of
Microsoft and Google, and see how it is with their tokens.

Such a relay is a route with oauth { ... }; "posthouse config example full" has one.
A person logs in once; from then on posthouse refreshes the tokens by itself. Where
the provider takes the login back, the mail of the route waits, however long it
takes, until somebody has logged in again.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.house.Add(cmd)
	cmd.AddCommand(o.statusCommand(), o.loginCommand())
	return cmd
}

func (o *options) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how it is with the token of each relay",
		Long: `Tell how it is with the token of each relay: "ready", "idle" (none was needed so
far), "trouble" (the provider cannot be asked for now) or "refused" (somebody has
to act, and the mail waits). It ends with status 77 if one is refused.`,
		Args: cli.NoArgs,
		RunE: o.status,
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	return cmd
}

func (o *options) loginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login ROUTE",
		Short: "Log in at the relay of a route",
		Long: `Log in at the relay of a route, as the person whose mailbox it sends from. A web page
is named, which can be opened anywhere, and a code to be typed in there; or, with
flow = "browser", an address to be opened, and the one where the browser ends is
asked for.

The token that comes of it is kept sealed in the spool, and mail that waited for it is
tried at once.`,
		Example: `  posthouse relay login office
  posthouse relay login office --token-file refresh.token`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.login(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&o.token, "token-file", "", "`FILE` with a refresh token that was got elsewhere, in place of a login")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON objects: what is to be done, and what came of it")
	return cmd
}
