package run

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
)

// builtIn is the configuration that holds where none is named: whatever comes is kept.
const builtIn = `hostname = "localhost"
listen "inbox" {}
inbox {}
console {
  guests = "operate"
}
`

// builtInName is how messages call it.
const builtInName = "built-in configuration"

// noHTTP is the value of --http by which there is no console.
const noHTTP = "none"

// readBuiltIn reads the built-in configuration, with what flags say in its place.
func (h *house) readBuiltIn() (*config.Config, error) {
	c, err := config.Parse(builtInName, []byte(builtIn), config.Options{})
	if err != nil {
		return nil, err
	}
	c.Hostname = config.Setting[string]{Value: hostname(), Origin: mail.Origin{File: "system"}}
	c.Data = config.Setting[string]{Value: h.data, Origin: mail.Origin{File: "--data"}}
	c.Listen[0].Address = config.Setting[[]string]{Value: []string{h.smtp}, Origin: mail.Origin{File: "--smtp"}}
	c.Console.Address = config.Setting[[]string]{Value: []string{h.http}, Origin: mail.Origin{File: "--http"}}
	if h.http == noHTTP {
		c.Console = config.Console{}
	}
	return c, nil
}

// takeAddress listens where mail of the built-in configuration comes in, before anything is
// made.
func (h *house) takeAddress(ctx context.Context) error {
	if h.data == "" {
		return cli.Fail(cli.Usage, "--data names no directory (give DIR)")
	}
	if err := h.checkHTTP(); err != nil {
		return err
	}
	l, err := cli.Listen(ctx, h.smtp)
	if err != nil {
		return err
	}
	h.taken = l
	h.smtp, err = cli.HostPort(h.smtp, "2525")
	return err
}

// leaveAddress gives up what was taken, if the house did not get as far as to use it.
func (h *house) leaveAddress() {
	if h.taken != nil {
		_ = h.taken.Close()
	}
}

// checkHTTP refuses a console that others could reach: nobody logs in to this one.
func (h *house) checkHTTP() error {
	if h.http == noHTTP {
		return nil
	}
	address, err := cli.HostPort(h.http, "8025")
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(address)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return cli.Fail(cli.Usage, "--http %s could be reached from elsewhere, and nobody has to log in "+
			"(a configuration with console and users opens it to others)", h.http)
	}
	h.http = net.JoinHostPort(host, port)
	return nil
}

// writeCertificate puts the certificate of the run where clients of this machine find
// it. The file of the last run is replaced as a whole.
func (h *house) writeCertificate(d *daemon.House) error {
	c, err := d.Certificate(&tls.ClientHelloInfo{ServerName: hostname()})
	if err != nil {
		return cli.Fail(cli.Software, "certificate: %w", err)
	}
	path := filepath.Join(h.data, certificateName)
	err = os.WriteFile(path+".new", pemOf(c), 0o644)
	if err == nil {
		err = os.Chmod(path+".new", 0o644) // whatever the umask
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return dataFault(h.data, err)
	}
	return nil
}

// playFile begins the scenarios of a file.
func (h *house) playFile(d *daemon.House) error {
	if h.scenario == "" {
		return nil
	}
	text, err := os.ReadFile(h.scenario)
	if err != nil {
		return cli.Fail(cli.NoInput, "%w", err)
	}
	f, err := scenario.ParseFile(h.scenario, text)
	if err != nil {
		return cli.Fail(cli.Config, "%w", err)
	}
	if d.Inboxes() == nil {
		return cli.Fail(cli.Usage, "--scenario has nothing to play on: %s has no listen %q", h.file, config.ListenInbox)
	}
	f.Inboxes[""] = f.All
	for name, rules := range f.Inboxes {
		s, err := scenario.New(rules)
		if err != nil {
			return cli.Fail(cli.Config, "%s: %w", h.scenario, err)
		}
		d.Stage().Play(name, s)
	}
	return nil
}

// inboxChanged tells those who look at pages.
func (h *house) inboxChanged() {
	if p := h.pages.Load(); p != nil {
		p.Changed(web.TopicInbox)
	}
}

// greetInbox tells a newcomer what to do next. The first line names the address.
func (h *house) greetInbox(out io.Writer, d *daemon.House, consoles []string) error {
	addr := d.Listening()[0].Addr
	box := filepath.Join(h.data, "inbox")
	http := strings.Join(consoles, " ")
	if h.json {
		return cli.PrintJSON(out, struct {
			SMTP  string `json:"smtp"`
			HTTP  string `json:"http"` // "" without a console
			Inbox string `json:"inbox"`
		}{addr.String(), http, box})
	}
	return tellNewcomer(out, addr, box, http)
}

func tellNewcomer(out io.Writer, addr net.Addr, box, http string) error {
	to := ""
	if addr.String() != cli.LocalServer {
		to = " --server " + addr.String()
	}
	see := "It is not shown, since --http is none."
	if http != "" {
		see = "See it at " + http
	}
	_, err := fmt.Fprintf(out, `Receiving mail on %s. It is kept in %s and goes nowhere else.
%s
Send a first message from another terminal:

  posthouse send%s --to you@example.org --subject hello --text "It works."

Ctrl-C ends.
`, addr, box, see, to)
	if tcp, ok := addr.(*net.TCPAddr); err == nil && ok && !tcp.IP.IsLoopback() {
		_, err = fmt.Fprintf(out,
			"Whoever can reach %s can fill this inbox: 127.0.0.1 keeps it to this machine.\n", addr)
	}
	return err
}
