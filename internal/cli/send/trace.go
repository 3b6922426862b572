package send

import (
	"crypto/tls"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// trace shows the dialogue with -v, and how far the text has come on the bar.
func (o *options) trace(w io.Writer, bar *cli.Progress) *smtpclient.Trace {
	t := &smtpclient.Trace{Text: func(_ time.Time, octets int) { bar.Add(int64(octets)) }}
	if !o.verbose {
		return t
	}
	d := &cli.Dialogue{Out: w, Begun: time.Now(), JSON: o.json}
	t.Sent = d.Said
	t.Received = d.Heard
	t.Text = func(at time.Time, octets int) { d.Note(at, "%d octets of text", octets) }
	t.TLS = func(at time.Time, state tls.ConnectionState) {
		d.Note(at, "%s with %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	}
	return t
}
