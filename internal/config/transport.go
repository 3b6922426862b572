package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// transports returns the settings of a route that say what carries its mail.
func (r *Route) transports() []named {
	return []named{
		{Remote, r.Remote.Origin, r.Remote.Given()},
		{Smarthost, r.Smarthost.Origin, r.Smarthost.Given()},
		{LMTP, r.LMTP.Origin, r.LMTP.Given()},
		{Maildir, r.Maildir.Origin, r.Maildir.Given()},
		{Pipe, r.Pipe.Origin, r.Pipe.Given()},
		{IntoInbox, r.Inbox.Origin, r.Inbox.Given()},
		{Discard, r.Discard.Origin, r.Discard.Given()},
	}
}

// named is a setting by its word.
type named struct {
	word   string
	origin mail.Origin
	set    bool
}

// checkTransport sets r.Transport, and finds settings that mean nothing to it.
func (d *decoder) checkTransport(r *Route) {
	for _, t := range r.transports() {
		switch {
		case !t.set:
		case r.Transport != "":
			d.add(t.origin, "a route has one of them", "the mail cannot go by %s: it goes by %s", t.word, r.Transport)
		default:
			r.Transport = t.word
		}
	}
	if r.Transport == "" {
		d.add(r.Origin, "write one of remote, smarthost, lmtp, maildir, pipe, inbox, discard", "the route %q does not say where mail goes", r.Name)
		return
	}
	d.checkOptions(r)
	d.checkOAuth(r)
	d.checkLogin(r)
	d.checkPaths(r)
}

// option is a setting that some transports have.
type option struct {
	word   string
	origin mail.Origin
	of     []string
}

// checkOptions finds settings that mean nothing to the transport.
func (d *decoder) checkOptions(r *Route) {
	options := []option{
		{"tls", r.TLS.Origin, []string{Remote, Smarthost, LMTP}},
		{"ca", r.CA.Origin, []string{Smarthost, LMTP}},
		{"user", r.User.Origin, []string{Smarthost, LMTP}},
		{"quota", r.Quota.Origin, []string{Maildir}},
		{"timeout", r.Timeout.Origin, []string{Pipe}},
	}
	for _, s := range r.Password.sources("password") {
		options = append(options, option{s.word, s.origin, []string{Smarthost, LMTP}})
	}
	for _, o := range options {
		if o.origin.File != "" && !slices.Contains(o.of, r.Transport) {
			d.add(o.origin, "it is for "+strings.Join(o.of, ", "), "%s means nothing to a route by %s", o.word, r.Transport)
		}
	}
	if r.Transport == Remote && r.TLS.Value == "implicit" {
		d.add(r.TLS.Origin, "", "hosts that DNS names are asked on port 25, where TLS is never implicit")
	}
	if r.CA.Given() && (r.TLS.Value == "never" || r.TLS.Value == "opportunistic") {
		d.add(r.CA.Origin, "", "ca is of no use if tls is %q", r.TLS.Value)
	}
}

// checkLogin refuses half a login, and a password in clear.
func (d *decoder) checkLogin(r *Route) {
	d.checkSecret("password", &r.Password)
	password := r.Password.Given() || r.OAuth.Given()
	switch {
	case r.User.Given() && !password:
		d.add(r.User.Origin, "write password_file, or password_env, password_command, password_credential, oauth { ... }", "the user has no password")
	case r.Password.Given() && !r.User.Given():
		d.add(r.Origin, "write user = ...", "the password has no user")
	case password && r.Transport == LMTP && !r.TLS.Given(), password && (r.TLS.Value == "never" || r.TLS.Value == "opportunistic"):
		if slices.ContainsFunc(append(r.LMTP.Value, r.Smarthost.Value...), func(a string) bool { return !isLoopback(a) }) {
			d.add(r.User.Origin, `write tls = "require" or "implicit"`, "the password would be sent in clear")
		}
	}
}

// checkPaths finds Maildirs that could be anywhere, and programs that depend on
// where the daemon was started.
func (d *decoder) checkPaths(r *Route) {
	if m := r.Maildir.Value; m != "" {
		d.checkFolders(r.Maildir.Origin, m)
	}
	if p := r.Pipe.Value; len(p) > 0 && (!filepath.IsAbs(p[0]) || strings.Contains(p[0], "%{")) {
		d.add(r.Pipe.Origin, "there is no shell, and no PATH is searched", "the program is named by its full path, not %q", clip(p[0]))
	}
}

func (d *decoder) checkFolders(at mail.Origin, path string) {
	if strings.HasPrefix(path, "/%{") {
		d.add(at, "write a directory in front of it", "a user would choose the first directory of the path")
	}
	for folder := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case folder == "":
			d.add(at, "", "a folder of the path has no name")
		case folder[0] == '.':
			d.add(at, "a Maildir has folders of its own that begin with a dot", "the folder %q begins with a dot", folder)
		}
	}
}

// isLoopback reports whether an endpoint can only be reached from this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // unix:
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
