package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/dispatch"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dmarctally"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/tally"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/discard"
	"github.com/posthouse/posthouse/smtp"
)

// rooms is what a configuration becomes, and a reload replaces.
type rooms struct {
	directory  directory.Directory
	accounts   directory.Accounts     // nil: nobody logs in
	tokens     login.Tokens           // nil: none are taken
	veil       func() ([]byte, error) // the secret that hides names typed at a login; nil: nobody logs in
	keys       *certificates
	table      *route.Table
	transports map[string]transport.Transport
	out        dispatch.Settings
	servers    []*server
	relays     relays
	reporters  []reporter               // on TLS and on DMARC
	panels     map[string]*policy.Panel // by the name of the listener
	signers    signers                  // nil: nothing is signed
}

// builder makes rooms. Problems of the configuration are collected, so that all
// are told at once.
type builder struct {
	world    *World
	cfg      *config.Config
	states   *states
	dns      dns.Resolver           // once it is made
	seal     func() ([]byte, error) // once it was asked for
	problems config.Problems

	judges    tlspolicy.InOrder // once they are made, with rules and observers
	rules     tlspolicy.Rules   // of the configuration
	observers tlspolicy.Observers
	tally     *tally.Tally      // nil: nobody gets reports on TLS
	dmarc     *dmarctally.Tally // nil: nobody gets reports on DMARC
}

// add notes what is wrong with a setting.
func (b *builder) add(at mail.Origin, format string, args ...any) {
	b.problems = append(b.problems, b.cfg.Problem(at, fmt.Sprintf(format, args...)))
}

// build makes the rooms of a configuration. The error is of type [config.Problems]
// if the configuration is at fault.
func build(ctx context.Context, w *World, c *config.Config, in *intake.Desk, kept *states) (*rooms, error) {
	b := &builder{world: w, cfg: c, states: kept}
	r := &rooms{}
	err := errors.Join(
		b.buildDirectory(ctx, r),
		b.buildAccounts(r),
		b.buildVeil(r),
		b.buildRoutes(r),
		b.buildTransports(r),
		b.buildPolicy(r),
		b.buildSigning(r),
		b.buildServers(r, in),
	)
	if err == nil {
		b.buildForwarding(r)
	}
	if err == nil && len(b.problems) > 0 {
		err = b.problems
	}
	if err != nil {
		r.close(ctx)
		return nil, err
	}
	r.out = b.settings(r)
	b.buildReporters(r, in)
	return r, nil
}

// Check reports what is wrong with a configuration when the files that it names are
// read: an error of type [config.Problems].
func Check(ctx context.Context, c *config.Config, w World) error {
	w.setDefaults()
	r, err := build(ctx, &w, c, intake.New(intake.Options{}), new(states))
	if err == nil {
		r.close(ctx)
	}
	return err
}

// transportOf makes what carries the mail of a route.
func (b *builder) transportOf(rooms *rooms, r *config.Route) (transport.Transport, error) {
	switch r.Transport {
	case config.Remote:
		return b.remote(r)
	case config.Smarthost:
		return b.smarthost(rooms, r)
	case config.LMTP:
		return b.lmtp(r)
	case config.Maildir:
		return b.maildir(r)
	case config.Pipe:
		return b.pipe(r)
	case config.IntoInbox:
		return b.intoInbox(r), nil
	case config.Discard:
		return discard.Transport{}, nil
	}
	return nil, fmt.Errorf("%s: a route by %q", r.Origin, r.Transport)
}

// settings are those of the desk that sends mail out.
func (b *builder) settings(r *rooms) dispatch.Settings {
	s := dispatch.Settings{
		Router: r.table, Transports: r.transports, Queue: b.queue(),
		Hold: b.cfg.Queue.Hold.Value,
		MTA:  b.cfg.Hostname.Value, Mailer: b.at("mailer-daemon"),
	}
	if b.cfg.Reports.DoubleBounce.Value == "postmaster" {
		s.DoubleBounces = b.postmaster()
	}
	return s
}

// options are those of the desk that takes mail in, but for what joins it to the
// other one.
func (b *builder) options(r *rooms) intake.Options {
	return intake.Options{
		Hostname:   b.cfg.Hostname.Value,
		Directory:  r.directory,
		RelayFrom:  b.cfg.Relay.Networks.Value,
		RelaySaid:  b.cfg.Relay.Networks.Origin,
		RelayTo:    b.relayTo(),
		Postmaster: b.postmaster(),
		Senders:    b.senders(),
		Policy:     r.panels,
		Keys:       r.signers.of(),
		Observe:    b.world.Observe,
		Log:        b.world.Log,
	}
}

// relayTo says for whom we are a backup. The patterns were checked with the
// configuration.
func (b *builder) relayTo() func(smtp.Path) bool {
	patterns, _ := patternsOf(b.cfg.Relay.Domains.Value)
	return func(to smtp.Path) bool {
		for _, p := range patterns {
			if p.Fits(to) {
				return true
			}
		}
		return false
	}
}

// postmaster is the one of this host, whom the directory knows if there are domains.
func (b *builder) postmaster() smtp.Path {
	if p := b.cfg.Postmaster.Value; !p.IsNull() {
		return p
	}
	return b.at("postmaster")
}

// at is an address on this host, whose name was checked with the configuration.
func (b *builder) at(local string) smtp.Path {
	p, _ := smtp.ParseMailbox(local + "@" + b.cfg.Hostname.Value)
	return p
}

// close ends what the rooms hold open. Deliveries that are under way go on.
func (r *rooms) close(ctx context.Context) {
	if r.keys != nil {
		r.keys.acme.close()
	}
	if c, ok := r.accounts.(io.Closer); ok {
		_ = c.Close() // connections that nobody uses
	}
	r.closePanels()
	for _, t := range r.transports {
		switch t := t.(type) {
		case interface{ Close(context.Context) error }:
			_ = t.Close(ctx) // what cannot say good-bye is cut
		case interface{ Close() error }:
			_ = t.Close() // nothing hangs on it: what was delivered is synced
		}
	}
}
