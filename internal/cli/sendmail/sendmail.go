package sendmail

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

const help = `Submit a message on the standard input, as programs do with the sendmail of Unix.

The daemon takes it over a socket of this machine, without a password: the system
says who calls. If the daemon is away the message is put on the disk in its drop
directory, which is told on the standard error stream, and the daemon takes it
when it comes back. Recipients that are refused are told there too, and the others
get the message.

  -t            recipients are also those in To, Cc and Bcc; Bcc is taken out
  -i, -oi       a line that is a single dot does not end the message
  -f, -r SENDER who gets reports (default: you at this host; <> for nobody)
  -F NAME       your name, if the message has no From
  -N WHEN       reports: never, or some of success,failure,delay
  -R WHAT       what failure reports return: full or hdrs
  -V ENVID      a name for the message that stands in reports
  -B TYPE       7BIT, 8BITMIME or BINARYMIME (default: what the message is)
  -v            show the dialogue with the daemon
  -bm           submit a message (the default)
  -bs           speak SMTP on the standard streams
  -bv ADDRESS   ask whether mail for the addresses is taken; send nothing
  -bp           list the queue, as mailq does
  -bi, -I       check the alias files and put them in force, as newaliases does
  -q            try all that waits again now; -qIID, -qRTEXT, -qSTEXT: one
                message, or those whose recipient or sender has a text in it
  -C, --config FILE  the daemon's configuration
                (default: POSTHOUSE_CONFIG, then ` + cli.SystemConfig + `)
  --data DIR    the daemon's data directory
  --json        with -bp and -bv: JSON objects, one a line
  --            what follows are recipients

From, Date and Message-ID are added if they are missing, and names without a host
get the one of this machine. Any sender may be given with -f; who it really was
stands in the journal. Understood for old callers, and of no effect: other -o
options, -A -G -L -O -U -X -c -d -h -m -n -p.

The status is 0 if every recipient is somebody's duty now; 67 there is no such
user; 69 a recipient was refused; 65 the message was refused; 75 nobody has it,
try again later; 77 no permission; 64 the command line is wrong.`

// Command returns "posthouse sendmail". The House is asked by -bp, -bi and -q.
func Command(h House) *cobra.Command {
	return command(h, "sendmail [OPTION...] [ADDRESS...]", "Submit a message as programs do, or look after the queue", help)
}

// Mailq returns "posthouse mailq".
func Mailq(h House) *cobra.Command {
	return command(h, "mailq [--json] [-C FILE]", "List the queue in the form of Unix", `List the messages that wait, as sendmail -bp does.

A * behind the ID says that the message is being delivered, a ! that it is held.
"posthouse queue" tells more, and can change things.`, "-bp")
}

// Newaliases returns "posthouse newaliases".
func Newaliases(h House) *cobra.Command {
	return command(h, "newaliases [-C FILE]", "Check the alias files and put them in force", `Check the alias files, with the whole configuration, and put them in force, as
sendmail -bi does. If something is wrong, it is told and what was before stays.`, "-bi")
}

// command makes a command that reads its own options, with some of them given.
func command(h House, use, short, long string, given ...string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := readOptions(append(given, args...))
			if err != nil {
				return err
			}
			if o.help {
				return cmd.Help()
			}
			return o.run(cmd.Context(), h, streams{cmd.InOrStdin(), cmd.OutOrStdout()}, cmd.ErrOrStderr())
		},
	}
}

// run does what the options say.
func (o *options) run(ctx context.Context, h House, std streams, errs io.Writer) error {
	where, err := cli.FindHouse(o.config, o.data)
	if err != nil {
		return err
	}
	d := &desk{where: where, errs: errs}
	if o.verbose {
		d.trace = dialogue(std)
	}
	c := whoCalls(where.Hostname)
	return o.do(ctx, d, &c, h, std)
}

// do is run, when it is known where and for whom.
func (o *options) do(ctx context.Context, d *desk, c *caller, h House, std streams) error {
	switch o.mode {
	case session:
		return d.session(ctx, std.Reader, std.Writer)
	case verify:
		return d.verify(ctx, o, c, std)
	case queue:
		return list(ctx, h, d.where, std, o.json)
	case aliases:
		return h.Reload(ctx, d.where)
	case retry:
		n, err := h.Retry(ctx, d.where, o.filter)
		if err == nil {
			fmt.Fprintf(d.errs, "%s tried again now\n", cli.Count(n, "recipient"))
		}
		return err
	}
	l, err := o.letter(c, std.Reader)
	if err != nil {
		return err
	}
	defer l.text.close()
	return d.hand(ctx, l)
}

// dialogue shows what is said to the daemon and heard from it.
func dialogue(out io.Writer) *smtpclient.Trace {
	d := &cli.Dialogue{Out: out, Begun: time.Now()}
	return &smtpclient.Trace{
		Sent: d.Said, Received: d.Heard,
		Text: func(at time.Time, octets int) { d.Note(at, "%d octets of text", octets) },
	}
}
