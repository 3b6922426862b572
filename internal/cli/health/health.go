// Package health is the command "posthouse health", for those who ask in turns whether a
// house is well: containers and monitoring.
package health

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/client"
	"github.com/posthouse/posthouse/internal/cli"
)

// answer is what a house says, for programs.
type answer struct {
	Well   bool   `json:"well"`
	Reason string `json:"reason,omitempty"`
	Since  string `json:"since,omitempty"`
	Queued int64  `json:"queued"`
}

// Command returns "posthouse health".
func Command() *cobra.Command {
	var house client.Flags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell whether a running posthouse is well",
		Long: `Tell whether a running posthouse is well: its desks answer, its spool can be read, and
it takes mail. The status is 0 if so, 75 if it takes no mail for now since the disk is
full, and another if nobody answers.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := house.Client()
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			a := examine(&s)
			err = cli.Answer(cmd.OutOrStdout(), asJSON, a, cli.Words(a.words()))
			if err == nil && !a.Well {
				return cli.End(cli.TempFail)
			}
			return err
		},
	}
	house.Add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// examine says how a house is.
func examine(s *admin.Status) answer {
	a := answer{Well: true, Queued: s.Spool.Fresh + s.Spool.Deferred + s.Spool.Held}
	if !s.Started.IsZero() {
		a.Since = s.Started.Format(time.RFC3339)
	}
	if s.Spool.Refusing {
		a.Well, a.Reason = false, "the disk is nearly full, and new mail is told to come later"
	}
	return a
}

func (a *answer) words() string {
	if !a.Well {
		return "Not well: " + a.Reason + ".\n"
	}
	return fmt.Sprintf("Well; %s in the queue.\n", cli.Count(a.Queued, "recipient"))
}
