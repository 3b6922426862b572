package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// localServer answers programs of this machine.
func (b *builder) localServer(in *intake.Desk) *server {
	limits := limitsOfServer(&b.cfg.Limits)
	limits.Recipients = maildrop.MaxRecipients
	at := endpoint{network: "unix", address: filepath.Join(b.cfg.Data.Value, maildrop.SubmitSocket), local: true}
	return &server{
		name: intake.FromSendmail, at: []endpoint{at}, origin: b.cfg.Data.Origin,
		answerer: &smtpserver.Server{
			Handler: in.Local(), Hostname: b.cfg.Hostname.Value, Offer: intake.Offers, Limits: limits, Log: b.world.Log,
			NextID: b.world.Sessions.NextID, Trace: b.world.Sessions.Inbound(intake.FromSendmail),
		},
	}
}

// listenAt opens a socket. One for programs of this machine is open to all whom the
// data directory lets pass, and knows who they are.
func (w *World) listenAt(ctx context.Context, at endpoint) (net.Listener, error) {
	l, err := w.Listen(ctx, at.network, at.address)
	if err != nil || !at.local {
		return l, err
	}
	if err := os.Chmod(at.address, 0o666); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return intake.Peers(l), nil
}

// makeDrop makes the drop directory, for all users if others may pass through the
// data directory.
func (w *World) makeDrop(c *config.Config) error {
	if w.Drops == nil {
		return nil
	}
	info, err := w.Drops.Stat(c.Data.Value)
	if err == nil {
		err = maildrop.MakeOn(w.Drops, filepath.Join(c.Data.Value, maildrop.Name), info.Mode()&0o001 != 0)
	}
	if err != nil {
		return fmt.Errorf("drop directory: %w", err)
	}
	return nil
}

// sweep takes what programs have left in the drop directory, until it is told to
// stop; then it comes to the end of the letter that it has.
func (h *House) sweep(ctx context.Context) (stop func()) {
	if h.world.Drops == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	s := maildrop.Sweeper{
		Dir:  filepath.Join(h.cfg.Data.Value, maildrop.Name),
		Disk: h.world.Drops,
		Log:  h.world.Log,
		Submit: func(ctx context.Context, l *maildrop.Letter) error {
			return h.drop.Load().Take(context.WithoutCancel(ctx), l)
		},
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-over
	}
}
