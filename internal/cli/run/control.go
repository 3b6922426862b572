package run

import (
	"context"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
)

// control is the socket by which a house is seen and steered, in its data
// directory.
type control struct {
	api    *admin.API
	cancel context.CancelFunc
	done   chan error
}

// control answers on the socket until it is ended.
func (h *house) control(ctx context.Context, d *daemon.House) (*control, error) {
	l, err := admin.Listen(cli.Where{Data: d.Config().Data.Value}.ControlSocket())
	if err != nil {
		return nil, cli.Fail(cli.OSErr, "%w", err)
	}
	api := admin.New(h.options(d))
	steered := &control{api: api, done: make(chan error, 1)}
	ctx, steered.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { steered.done <- api.Serve(ctx, l) }()
	return steered, nil
}

// options are what can be seen of a house.
func (h *house) options(d *daemon.House) admin.Options {
	o := admin.Options{
		Spool: d.Spool(), Dispatch: d.Out(), Intake: d.In(), Relays: d, Sessions: d.Sessions(), Meter: d.Meter(),
		Reload:  func(ctx context.Context) error { return h.again(ctx, d) },
		Holding: func() (mail.Origin, bool) { hold := d.Config().Queue.Hold; return hold.Origin, hold.Value },
		Sizes:   func() []admin.Size { return sizes(d) },

		Node: d.Node(), Draining: d.Draining,

		Certificates: func() []admin.Certificate { return certificates(d) },
		Hostname:     d.Config().Hostname.Value, Version: h.version, Started: time.Now(), Log: h.log.Logger,
	}
	if x := d.Index(); x != nil {
		o.Find = x
	}
	if d.Inboxes() != nil {
		o.Beside = inboxapi.Operations()
	}
	return o
}

// end stops answering, after the house has ended.
func (c *control) end() {
	c.cancel()
	<-c.done
}

// again reads the configuration and puts it in place.
func (h *house) again(ctx context.Context, d *daemon.House) (err error) {
	h.noted(h.supervisor.Reloading())
	defer func() {
		status := h.status(ctx, d)
		if err != nil {
			status = "the configuration before stays in force: the new one is wrong"
		}
		h.noted(h.supervisor.Ready(status))
	}()
	c, err := h.read()
	if err != nil {
		return err
	}
	if err := checkFile(h.file); err != nil {
		return err
	}
	h.plan(c)
	return d.Reload(ctx, c)
}

// sizes are the longest messages that the listeners take, the one for programs of
// this machine first.
func sizes(d *daemon.House) []admin.Size {
	c := d.Config()
	here := c.Limits.MessageSize
	all := []admin.Size{{Listener: intake.FromSendmail, Local: true, Octets: here.Value, Origin: here.Origin}}
	for _, l := range c.Listen {
		size := l.Limits.MessageSize
		all = append(all, admin.Size{Listener: l.Name.Value, Octets: size.Value, Origin: size.Origin})
	}
	return all
}

func certificates(d *daemon.House) (all []admin.Certificate) {
	for _, c := range d.Certificates() {
		all = append(all, admin.Certificate(c))
	}
	return all
}

// endAtOnce ends a house that was not run.
func endAtOnce(ctx context.Context, d *daemon.House) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return d.Run(ctx)
}
