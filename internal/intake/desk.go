package intake

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/smtp"
)

// Offers are the extensions that the desk honours, for smtpserver.Server.Offer:
// what they ask for stands in the envelope.
const Offers smtp.ExtensionSet = 1<<smtp.ExtBinaryMIME | 1<<smtp.ExtSMTPUTF8 | 1<<smtp.ExtDSN | 1<<smtp.ExtDeliverBy |
	1<<smtp.ExtFutureRelease | 1<<smtp.ExtMTPriority | 1<<smtp.ExtRequireTLS

// Spool is what the desk needs of a [spool.Engine].
type Spool interface {
	Begin(ctx context.Context, size int64) (spool.Draft, error)
	Note(ctx context.Context, facts []spool.Fact) error
}

// Arrival is a message that was committed.
type Arrival struct {
	Owner spool.Owner
	Lease *spool.Lease // nil: none was born
	Text  []byte       // the content, whole; nil if it was too large to keep
	Due   time.Time    // when it may be tried, if that is not at once
	Doubt []spool.Ref  // what was committed and leased, or not: nobody knows. Then there is no Lease
}

// Options set up a [Desk]. A zero field has the default that is given.
type Options struct {
	Hostname  string              // needed
	Spool     Spool               // needed
	Directory directory.Directory // nil: nobody lives here
	// Policy is what is asked of the mail of clients, by the name of the listener. Others ask nothing,
	// and what programs of this host and the house itself send is not asked about.
	Policy map[string]*policy.Panel

	// Keys are those with which what our people, programs of this host and the house itself
	// write is signed, if it is from the domain (DKIM); nil, or no keys: nothing is.
	Keys func(domain string, now time.Time) []dkim.Key

	// RelayFrom are the networks from which mail for others is taken. Without
	// them it is taken only from who has logged in.
	RelayFrom []netip.Prefix
	RelaySaid mail.Origin // of RelayFrom, for whoever explains
	// RelayTo reports whether mail for somebody who is not ours is taken from
	// everybody: we are a backup for his host. nil: it never is.
	RelayTo func(to smtp.Path) bool
	// Logins are who may log in where mail is submitted; nil: nobody.
	Logins *login.Door
	// Senders is as whom those may send who have logged in, if their account does not say it.
	Senders directory.Senders
	// Postmaster gets the mail for <postmaster> if the directory has nobody for
	// it; default postmaster@Hostname.
	Postmaster smtp.Path

	MaxHops       int // Received fields of a message; default 100 (RFC 5321, 6.3)
	MaxRecipients int // of a message, with aliases expanded; default 10,000
	// KeepUpTo is up to how many octets a text is handed on in memory; default
	// 64 KiB, negative: never.
	KeepUpTo int

	// Owner is for whom leases are born; nil: nobody.
	Owner func() spool.Owner
	// Arrived takes what was committed; nil: it is found in the spool.
	Arrived func(Arrival)
	// Observe hears of what was accepted and refused. It may be called by many
	// goroutines. Refusals are in no journal: strangers could fill it. nil is silence.
	Observe func(event.Entry)
	Log     *slog.Logger // nil is silence
}

// Desk takes mail in. Make one with [New]. It may be used by many goroutines.
type Desk struct {
	opts atomic.Pointer[Options]
	kept atomic.Int64 // octets of texts that are kept while they come in

	draining atomic.Bool
}

// keepAtOnce is how many octets of texts are kept in all while they are committed.
const keepAtOnce = 32 << 20

// New makes a desk.
func New(o Options) *Desk {
	d := new(Desk)
	d.Reload(o)
	return d
}

// Reload puts other options in place. They hold for what begins from then on;
// a transaction ends as it began.
func (d *Desk) Reload(o Options) {
	o.setDefaults()
	d.opts.Store(&o)
}

func (o *Options) setDefaults() {
	if o.Directory == nil {
		o.Directory = nobody{}
	}
	if o.Postmaster.IsNull() {
		o.Postmaster, _ = smtp.ParseMailbox("postmaster@" + o.Hostname) // else <postmaster> is refused
	}
	if o.MaxHops <= 0 {
		o.MaxHops = 100
	}
	if o.MaxRecipients <= 0 {
		o.MaxRecipients = 10_000
	}
	o.MaxRecipients = min(o.MaxRecipients, spool.MaxRecipients)
	if o.KeepUpTo == 0 {
		o.KeepUpTo = 64 << 10
	}
	if o.RelayTo == nil {
		o.RelayTo = func(smtp.Path) bool { return false }
	}
	if o.Owner == nil {
		o.Owner = func() spool.Owner { return spool.Owner{} }
	}
	if o.Arrived == nil {
		o.Arrived = func(Arrival) {}
	}
	if o.Observe == nil {
		o.Observe = func(event.Entry) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// nobody is the directory of a host without domains.
type nobody struct{}

func (nobody) Lookup(_ context.Context, to smtp.Path) (directory.Resolution, error) {
	return directory.Resolution{Kind: directory.NotOurs, Address: to}, nil
}

func (nobody) Find(context.Context, string) ([]directory.Resolution, error) { return nil, nil }
