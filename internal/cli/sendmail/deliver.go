package sendmail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// patience is how long the daemon may take to answer at all, before it counts as
// away. How long it takes to accept a message is bounded as everywhere.
const patience = 30 * time.Second

// desk is where messages are handed in.
type desk struct {
	where cli.Where
	errs  io.Writer
	trace *smtpclient.Trace // nil is silence
}

// fates is what became of the recipients of a message.
type fates struct {
	refused []smtpclient.Outcome   // for good
	noRoom  *smtp.Reply            // the disk is full: then the drop directory is no place either
	left    []smtpclient.Recipient // not now
	why     error                  // of left
}

// hand gives a letter to the daemon, and what it does not take now to the drop
// directory. Without error somebody is responsible for every recipient.
func (d *desk) hand(ctx context.Context, l *letter) error {
	f := d.submit(ctx, l)
	for i := range f.refused {
		fmt.Fprintf(d.errs, "%s: %s\n", cli.Printable(f.refused[i].To.String()), cli.Printable(f.refused[i].Err.Error()))
	}
	switch {
	case len(f.left) == 0:
		return cli.End(worst(f.refused))
	case f.noRoom != nil:
		return cli.Fail(cli.TempFail, "%s: %w", addressees(f.left), f.noRoom)
	case ctx.Err() != nil:
		return cli.Fail(cli.TempFail, "interrupted: %s may not get the message (%s)", addressees(f.left), plain(f.why))
	}
	if err := d.drop(l, f); err != nil {
		return err
	}
	return cli.End(worst(f.refused))
}

// submit speaks with the daemon. A server may take fewer recipients at a time than
// there are; then the rest goes with another copy.
func (d *desk) submit(ctx context.Context, l *letter) *fates {
	f := &fates{left: l.env.To}
	conn, err := d.dial(ctx)
	if err != nil {
		f.why = err
		return f
	}
	defer conn.Close()
	for again := true; again && len(f.left) > 0; {
		env := l.env
		env.To, f.left, f.why, f.noRoom = f.left, nil, nil, nil
		result, err := conn.Send(ctx, env, l.text)
		again = f.sort(result, env.To) && err == nil
		f.why = cmp.Or(f.why, err)
	}
	if conn.Err() == nil {
		_ = conn.Quit(ctx) // everything is said
	}
	return f
}

func (d *desk) dial(ctx context.Context) (*smtpclient.Conn, error) {
	dialer := smtpclient.Dialer{LocalName: "localhost", TLS: smtpclient.TLSNever}
	if d.trace != nil {
		dialer.Trace = func(string, net.Conn) *smtpclient.Trace { return d.trace }
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return dialer.Dial(ctx, "unix", d.where.SubmitSocket())
}

// sort puts the recipients where they belong. It reports whether those left can be
// sent again at once: somebody was taken, and they were merely too many.
func (f *fates) sort(r *smtpclient.Result, to []smtpclient.Recipient) (again bool) {
	tooMany := true
	for i := range r.Recipients {
		o := &r.Recipients[i]
		switch o.Fate() {
		case smtpclient.Accepted:
			again = true
			continue
		case smtpclient.Permanent:
			f.refused = append(f.refused, *o)
			continue
		}
		f.left = append(f.left, to[i])
		f.why = cmp.Or(f.why, o.Err)
		if o.Reply == nil || !isTooMany(o) {
			tooMany = false
		}
		if o.Reply != nil && o.Reply.Enhanced == (smtp.EnhancedCode{4, 3, 1}) {
			f.noRoom = o.Reply
		}
	}
	return again && tooMany
}

// isTooMany: the recipient was not asked for because there were enough (RFC 9422),
// or was refused for that reason (RFC 5321, 4.5.3.1.10).
func isTooMany(o *smtpclient.Outcome) bool {
	return o.Reply.Code == smtp.CodeInsufficientStorage && (o.Local || o.Reply.Enhanced == smtp.EnhancedCode{4, 5, 3})
}

// drop leaves the letter for those who are left, and says so.
func (d *desk) drop(l *letter, f *fates) error {
	p := l.env.Mail
	m := &maildrop.Letter{From: l.env.From, Params: p, Text: l.text}
	for _, to := range f.left {
		m.To = append(m.To, smtp.Rcpt{To: to.Path, Params: to.Params})
	}
	name, err := maildrop.Add(d.where.DropDirectory(), m)
	if err != nil {
		return d.lost(f.why, err)
	}
	fmt.Fprintf(d.errs, "%s: the daemon does not take the message now (%s); it waits in %s as %s\n",
		addressees(f.left), cli.Printable(plain(f.why)), d.where.DropDirectory(), name)
	return nil
}

// lost says that nobody has the message, and why.
func (d *desk) lost(why, err error) error {
	dir := d.where.DropDirectory()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cli.Fail(cli.TempFail, "nobody takes the message: %s, and there is no %s yet (start posthouse run --config FILE once, or say where with -C FILE)",
			plain(why), dir)
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "nobody takes the message: %s, and it cannot be left in %s: %w", plain(why), dir, err)
	}
	return cli.Fail(cli.TempFail, "nobody takes the message: %s, and it cannot be left in %s: %w (try again later)", plain(why), dir, err)
}

// plain says why the daemon is no help.
func plain(err error) string {
	var at *smtpclient.ConnectionError
	var reply *smtp.Reply
	switch {
	case err == nil:
		return "no reason was given"
	case errors.As(err, &reply):
		return reply.Error()
	case errors.Is(err, smtpclient.ErrUnknownOutcome):
		return "the connection was lost when it had the message, so a second copy is possible"
	case errors.As(err, &at) && at.Stage == smtp.VerbUnknown:
		return "it is not running: " + cause(at.Err).Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection before it had the message"
	}
	return err.Error()
}

// cause is the innermost error.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func addressees(to []smtpclient.Recipient) string {
	first := cli.Printable(to[0].Path.String())
	if len(to) == 1 {
		return first
	}
	return fmt.Sprintf("%s and %s", first, cli.Count(len(to)-1, "other"))
}

// worst is the status for those who were refused: for a single reason, that one.
func worst(refused []smtpclient.Outcome) cli.Status {
	status := cli.OK
	for i := range refused {
		s := statusOf(&refused[i])
		if status != cli.OK && status != s {
			return cli.Unavailable
		}
		status = s
	}
	return status
}

func statusOf(o *smtpclient.Outcome) cli.Status {
	switch {
	case o.Stage == smtp.VerbRCPT && o.Reply != nil && o.Reply.Enhanced[1] == 1: // an address
		return cli.NoUser
	case o.Stage == smtp.VerbRCPT, o.Stage == smtp.VerbMAIL && !o.Local:
		return cli.Unavailable
	}
	return cli.DataErr
}
