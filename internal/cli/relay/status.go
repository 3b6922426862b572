package relay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/cli"
)

func (o *options) status(cmd *cobra.Command, _ []string) error {
	c, err := o.house.Client()
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Relays(cmd.Context())
	if err != nil {
		return err
	}
	if err := cli.Answer(cmd.OutOrStdout(), o.json, list, cli.Words(table(list.Relays, time.Now()))); err != nil {
		return err
	}
	if slices.ContainsFunc(list.Relays, func(r admin.Relay) bool { return r.State == admin.RelayRefused }) {
		return cli.End(cli.NoPerm)
	}
	return nil
}

// table prints relays for people.
func table(relays []admin.Relay, now time.Time) string {
	if len(relays) == 0 {
		return "No route logs in with tokens.\n"
	}
	name, flow := len("ROUTE"), len("FLOW")
	for _, r := range relays {
		name, flow = max(name, cli.Cells(cli.Printable(r.Route))), max(flow, len(r.Flow))
	}
	var b strings.Builder
	row := func(cells ...string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s",
			cli.Left(cells[0], name), cli.Left(cells[1], flow), cli.Left(cells[2], len(admin.RelayTrouble)), cells[3]), " ") + "\n")
	}
	row("ROUTE", "FLOW", "STATE", "TOKEN")
	for _, r := range relays {
		row(cli.Printable(r.Route), r.Flow, r.State, token(&r, now))
		if r.Error != "" {
			b.WriteString("  " + cli.Printable(r.Error) + "\n")
		}
		switch {
		case r.Login != nil:
			b.WriteString("  A login is under way: " + cli.Printable(r.Login.URL) + " " + cli.Printable(r.Login.Code) + "\n")
		case r.State == admin.RelayRefused && r.Flow != "client":
			b.WriteString("  Its mail waits for: posthouse relay login " + cli.Printable(r.Route) + "\n")
		}
	}
	return b.String()
}

// token tells how long the last one is good.
func token(r *admin.Relay, now time.Time) string {
	switch {
	case r.Expires == nil:
		return "none since the start"
	case now.Before(*r.Expires):
		return "good for " + r.Expires.Sub(now).Round(time.Second).String()
	}
	return "over since " + r.Expires.Local().Format(time.DateTime)
}
