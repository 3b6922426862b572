package send

import (
	"crypto/tls"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// report is what became of a message. Its JSON form is for programs.
type report struct {
	Server     string      `json:"server"`
	TLS        string      `json:"tls,omitempty"`      // its version; without TLS: empty
	Verified   bool        `json:"verified,omitempty"` // the server's certificate is good for its name
	From       string      `json:"from"`
	Size       int64       `json:"size"` // octets
	Recipients []recipient `json:"recipients"`
	Error      string      `json:"error,omitempty"` // what ended the connection

	err error // of Error, with its status
}

// recipient is what became of it for one recipient.
type recipient struct {
	To    string `json:"to"`
	Fate  string `json:"fate"`            // "accepted", "temporary", "permanent" or "unknown"
	Stage string `json:"stage,omitempty"` // the verb at which it was decided; "." is the end of the text
	Reply *reply `json:"reply,omitempty"`
	Local bool   `json:"local,omitempty"` // the server was not asked
	Error string `json:"error,omitempty"`

	status cli.Status
}

type reply struct {
	Code     smtp.Code `json:"code"`
	Enhanced string    `json:"enhanced,omitempty"`
	Text     string    `json:"text"`
}

func (r *report) connected(c *smtpclient.Conn) {
	state, unverified := c.TLS()
	if state != nil {
		r.TLS = tls.VersionName(state.Version)
		r.Verified = unverified == nil
	}
}

// tell takes over the outcomes.
func (r *report) tell(result *smtpclient.Result) {
	for i := range result.Recipients {
		r.Recipients = append(r.Recipients, outcome(&result.Recipients[i]))
	}
}

func outcome(o *smtpclient.Outcome) recipient {
	out := recipient{To: o.To.String(), Stage: o.Stage.String(), Local: o.Local}
	if o.Reply != nil {
		out.Reply = &reply{o.Reply.Code, o.Reply.Enhanced.String(), o.Reply.Text}
	}
	if o.Err != nil {
		out.Error = plain(o.Err)
	}
	out.Fate, out.status = fate(o)
	return out
}

// fate names the outcome. What is refused at the text is the message's fault,
// what is refused before it the sender's or recipient's.
func fate(o *smtpclient.Outcome) (string, cli.Status) {
	word := o.Fate()
	switch {
	case word == smtpclient.Accepted:
		return word.String(), cli.OK
	case word != smtpclient.Permanent:
		return word.String(), cli.TempFail
	case o.Stage == smtp.Dot, o.Stage == smtp.VerbBDAT, o.Local:
		return word.String(), cli.DataErr
	}
	return word.String(), cli.Unavailable
}

// fail notes what ended the connection. Recipients of whom nothing is known by
// now share it.
func (r *report) fail(l *letter, err error) {
	r.err, r.Error = err, err.Error()
	if len(r.Recipients) > 0 {
		return
	}
	status, _ := cli.StatusOf(err)
	word := "permanent"
	if status == cli.TempFail {
		word = "temporary"
	}
	for _, to := range l.env.To {
		r.Recipients = append(r.Recipients, recipient{To: to.Path.String(), Fate: word, Error: "not sent", status: status})
	}
}

// print writes the report and returns how the program ends.
func (r *report) print(w io.Writer, asJSON bool) error {
	show := r.table
	if asJSON {
		show = func(w io.Writer) error { return cli.PrintJSON(w, r) }
	}
	if err := show(w); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	status := r.status()
	if r.err != nil && status != cli.OK {
		return cli.Fail(status, "%w", r.err)
	}
	return cli.End(status)
}

// status is that of the worst recipient: what cannot be mended by trying again
// comes first. When all were accepted, a connection that ended badly after
// that is no matter.
func (r *report) status() cli.Status {
	worst := cli.OK
	for _, to := range r.Recipients {
		if worst == cli.OK || worst == cli.TempFail && to.status != cli.OK {
			worst = to.status
		}
	}
	return worst
}

func (r *report) table(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, to := range r.Recipients {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", to.Fate, cli.Printable(to.To), cli.Printable(to.why()))
	}
	return tw.Flush()
}

// why is the reply, or the error where there is none.
func (to *recipient) why() string {
	switch {
	case to.Reply == nil:
		return to.Error
	case to.Fate == "accepted":
		return to.Reply.String()
	case to.Local:
		return "not sent: " + to.Reply.String()
	}
	return stageName(to.Stage) + ": " + to.Reply.String()
}

func (r *reply) String() string {
	enhanced, _ := smtp.ParseEnhancedCode(r.Enhanced)
	return (&smtp.Reply{Code: r.Code, Enhanced: enhanced, Text: r.Text}).Error()
}
