package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/service"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/transfer"
)

// house is the mail system of a configuration.
type house struct {
	file string // the configuration; "": the built-in one
	// What flags say in place of the configuration; "": nothing.
	data, smtp string
	http       string       // where the console of the built-in configuration is
	httpGiven  bool         // a person has said so
	taken      net.Listener // of the built-in configuration, until the house has it
	scenario   string       // a file that says how the inbox misbehaves; "": none
	json       bool
	version    string
	errs       io.Writer
	log        *log
	pages      atomic.Pointer[web.Console] // nil: there is no console

	supervisor *service.Notifier
	sockets    *service.Sockets
}

// ballastSize is memory that is never touched, and so never resident. Little is alive
// in a house, so the collector would come round dozens of times a second; with this
// it waits until as much as this has become garbage, and a message costs a tenth less.
const ballastSize = 64 << 20

// run runs the mail system until ctx ends.
func (h *house) run(ctx context.Context, out io.Writer) error {
	defer h.log.close()
	reload, stop := signals(syscall.SIGHUP) // which would end the program until somebody listens
	defer stop()
	ballast := make([]byte, ballastSize)
	defer runtime.KeepAlive(ballast)
	if err := h.meetSupervisor(); err != nil {
		return err
	}
	if h.file == "" {
		if err := h.takeAddress(ctx); err != nil {
			return err
		}
		defer h.leaveAddress()
	}
	c, err := h.settle(ctx)
	if err != nil {
		return h.told(err)
	}
	h.plan(c)
	d, err := daemon.New(ctx, c, daemon.World{
		Local: h.file != "", Index: true, Version: h.version, InboxChanged: h.inboxChanged, Listen: h.listen, Observe: h.observe, Log: h.log.Logger,
	})
	if err != nil {
		return h.told(err)
	}
	if err := h.prepare(d); err != nil {
		return errors.Join(err, endAtOnce(ctx, d))
	}
	steered, err := h.control(ctx, d)
	if err != nil {
		return errors.Join(err, endAtOnce(ctx, d))
	}
	defer steered.end()
	browsers, err := h.console(ctx, d, steered.api)
	if err != nil {
		return errors.Join(err, endAtOnce(ctx, d))
	}
	defer browsers.end()
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	if err := h.greet(out, d, browsers.at); err != nil {
		h.log.Error("nobody reads what we print", "err", err)
	}
	defer h.tellSupervisor(ctx, d)()
	for {
		select {
		case <-reload:
			h.reload(ctx, d)
		case err := <-ran:
			if errors.Is(err, spool.ErrFailed) {
				return cli.Fail(cli.IOErr, "%w (what was promised is on the disk: see to it, and start again)", err)
			}
			return err
		}
	}
}

// signals returns a channel for a signal.
func signals(s os.Signal) (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	return c, func() { signal.Stop(c) }
}

// prepare does what the built-in configuration and the flags want before anybody is
// answered.
func (h *house) prepare(d *daemon.House) error {
	if h.file == "" {
		if err := h.writeCertificate(d); err != nil {
			return err
		}
	}
	return h.playFile(d)
}

// read reads the configuration, with what flags say in its place.
func (h *house) read() (*config.Config, error) {
	if h.file == "" {
		return h.readBuiltIn()
	}
	c, err := cli.ReadConfig(h.file)
	if err != nil {
		return nil, err
	}
	if h.data != "" {
		c.Data = config.Setting[string]{Value: h.data, Origin: mail.Origin{File: "--data"}}
	}
	if h.smtp == "" {
		return c, nil
	}
	for i := range c.Listen {
		if l := &c.Listen[i]; l.Kind == config.ListenSMTP {
			l.Address = config.Setting[[]string]{Value: []string{h.smtp}, Origin: mail.Origin{File: "--smtp"}}
			return c, nil
		}
	}
	return nil, cli.Fail(cli.Usage, "--smtp has nothing to stand for: %s has no listen %q", h.file, config.ListenSMTP)
}

// reload puts the configuration in place as it is now; the old one stays if
// something is wrong with it.
func (h *house) reload(ctx context.Context, d *daemon.House) {
	if err := h.again(ctx, d); err != nil {
		h.log.Error("the configuration before stays in force", "err", err)
		_ = h.told(err) // with the lines that are wrong
		return
	}
	h.log.Info("reloaded", "configuration", h.file)
}

// told tells problems of the configuration for people, and says how to end.
func (h *house) told(err error) error {
	var problems config.Problems
	var spool *daemon.SpoolError
	var database *daemon.DatabaseError
	var box *daemon.InboxError
	switch {
	case errors.As(err, &box) && errors.Is(err, inbox.ErrInUse):
		return cli.Fail(cli.TempFail, "%s is in use by another posthouse (end that one, or choose another directory with --data)", box.Data)
	case errors.As(err, &box):
		return dataFault(box.Data, box.Err)
	case errors.As(err, &database):
		return cli.Fail(cli.Unavailable, "%w", err)
	case errors.As(err, &spool) && errors.Is(err, syscall.EAGAIN):
		return cli.Fail(cli.TempFail, "%s is in use by another posthouse (end that one, or name another directory)", spool.Data)
	case errors.Is(err, transfer.ErrMarked):
		return cli.Fail(cli.CantCreate, "%w", err)
	case errors.As(err, &spool):
		return dataFault(spool.Data, spool.Err)
	case !errors.As(err, &problems):
		return err
	}
	if err := cli.TellProblems(h.errs, h.file, problems); err != nil {
		return cli.Fail(cli.IOErr, "%w", err)
	}
	return cli.End(statusOf(err))
}

// statusOf is how to end when a configuration cannot be used.
func statusOf(err error) cli.Status {
	var l *daemon.ListenError
	switch {
	case !errors.As(err, &l):
		return cli.Config
	case errors.Is(err, syscall.EACCES):
		return cli.NoPerm
	}
	return cli.OSErr
}

// greet says where mail comes in.
func (h *house) greet(out io.Writer, d *daemon.House, consoles []string) error {
	if h.file == "" {
		return h.greetInbox(out, d, consoles)
	}
	type listener struct {
		Name string `json:"name"`
		Addr string `json:"address"`
	}
	at := []listener{}
	for _, l := range d.Listening() {
		at = append(at, listener{l.Name, l.Addr.String()})
	}
	if h.json {
		return cli.PrintJSON(out, map[string]any{"configuration": h.file, "data": d.Config().Data.Value, "listen": at, "console": consoles})
	}
	var b strings.Builder
	for _, l := range at {
		fmt.Fprintf(&b, "%s on %s\n", cli.Printable(l.Name), l.Addr)
	}
	if len(at) == 0 {
		b.WriteString("No mail comes in over the network.\n")
	}
	for _, at := range consoles {
		fmt.Fprintf(&b, "console on %s\n", cli.Printable(at))
	}
	fmt.Fprintf(&b, "%s is in force; mail waits in %s.\n", cli.Printable(h.file), cli.Printable(d.Config().Data.Value))
	_, err := io.WriteString(out, b.String())
	return err
}
