package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/meter"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/internal/session"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/maildir"
	"github.com/posthouse/posthouse/internal/transport/pipe"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// World is what is outside of a house. The zero World is this machine.
type World struct {
	// Listen listens on "tcp" or "unix".
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Dial connects to an address of "tcp", "udp" or "unix". It comes from local,
	// which is invalid if any address will do.
	Dial func(ctx context.Context, local netip.Addr, network, address string) (net.Conn, error)
	// Addrs are the addresses by which others reach us.
	Addrs func() ([]netip.Addr, error)
	// Resolver answers about domains; nil: the servers of the configuration, or else
	// those of the system.
	Resolver dns.Resolver
	// Roots are the authorities whose certificates are good for hosts of strangers; nil:
	// those of the system.
	Roots *x509.CertPool

	// Local takes mail from programs of this machine too: at a socket and in a drop
	// directory, both in the data directory.
	Local bool
	// Drops is the disk that the drop directory is on; nil: that of this machine, if Local.
	Drops maildrop.Disk
	// Maildirs is the disk that Maildirs are on; nil: that of this machine.
	Maildirs maildir.Disk

	// Spool opens the engine of a configuration; nil: pebblespool, below its data
	// directory.
	Spool func(c *config.Config) (spool.Engine, error)
	// Files are read: aliases, certificates, secrets.
	Files plainfile.Opener
	// Env looks up environment variables that settings name.
	Env func(name string) (string, bool)
	// Exec runs the programs of routes, and those that print secrets.
	Exec func(ctx context.Context, c pipe.Command) (pipe.Status, error)
	// Carry may wrap what carries the mail of routes; nil: it is used as it is. What it
	// returns is a transport.Planner, and is to be closed, if what it got is.
	Carry func(t transport.Transport) transport.Transport
	// Report may wrap what writes delivery reports, as dispatch.Options.Prepare; nil: it is
	// used as it is.
	Report func(Writer) Writer
	// Random makes IDs and keys; nil is crypto/rand. It is read by many goroutines
	// at once.
	Random io.Reader
	// Seed is where the spread of retries and the order of equal hosts come from.
	Seed uint64

	// Inboxes opens the test inbox of a configuration; nil: below its data directory.
	Inboxes func(c *config.Config) (*inbox.Store, error)
	// InboxChanged is told when something in it is not as it was. It must be quick. nil is
	// silence.
	InboxChanged func()
	inboxes      *inboxes // nil: the configuration is only checked

	// Index has the journal read along, so that it can be searched, into files below the
	// data directory.
	Index bool
	// Sessions knows who speaks with the house; nil: one that nobody else has.
	Sessions *session.Registry
	meter    *meter.Meter

	// Version of the program, for other nodes to see.
	Version string
	// Observe hears of what happens to mail, from many goroutines: it must be
	// quick. nil is silence.
	Observe func(event.Entry)
	Log     *slog.Logger // nil is silence
}

// Writer writes a delivery report, as dispatch.Options.Prepare says.
type Writer = func(ctx context.Context, report *dsn.Report, original mail.Content) (spool.Draft, spool.Commit, error)

func (w *World) setDefaults() {
	if w.Listen == nil {
		w.Listen = Listen
	}
	if w.Dial == nil {
		w.Dial = dial
	}
	if w.Addrs == nil {
		w.Addrs = interfaceAddrs
	}
	if w.Drops == nil && w.Local {
		w.Drops = maildrop.System{}
	}
	if w.Files == nil {
		w.Files = plainfile.Disk{}
	}
	if w.Env == nil {
		w.Env = os.LookupEnv
	}
	if w.Exec == nil {
		w.Exec = pipe.Run
	}
	if w.Spool == nil {
		w.Spool = w.openSpool
	}
	if w.Carry == nil {
		w.Carry = func(t transport.Transport) transport.Transport { return t }
	}
	if w.Report == nil {
		w.Report = func(next Writer) Writer { return next }
	}
	if w.Seed == 0 {
		w.Seed = uint64(time.Now().UnixNano())
	}
	if w.Observe == nil {
		w.Observe = func(event.Entry) {}
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	if w.Inboxes == nil {
		w.Inboxes = w.openInboxes
	}
	if w.Sessions == nil {
		w.Sessions = session.New(session.Options{})
	}
	w.watch()
}

// anywhere is a Dial without a local address.
func (w *World) anywhere(ctx context.Context, network, address string) (net.Conn, error) {
	return w.Dial(ctx, netip.Addr{}, network, address)
}

// from is a Dial to a host.
func (w *World) from(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	return w.Dial(ctx, local, "tcp", remote.String())
}

// Listen listens on "tcp" or "unix". It takes the place of a socket that a dead process
// has left.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if network != "unix" {
		return smtpserver.Listen(ctx, address)
	}
	if conn, err := dial(ctx, netip.Addr{}, network, address); err == nil {
		conn.Close()
		return nil, errors.New("another program listens there")
	}
	if info, err := os.Lstat(address); err == nil && info.Mode().Type() == os.ModeSocket {
		_ = os.Remove(address) // else listening says what is wrong
	}
	var l net.ListenConfig
	return l.Listen(ctx, network, address)
}

func dial(ctx context.Context, local netip.Addr, network, address string) (net.Conn, error) {
	// Dead peers are found by the limits on time; keep-alive would cost each
	// connection four system calls.
	d := net.Dialer{KeepAlive: -1}
	if local.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: local.AsSlice(), Zone: local.Zone()}
	}
	return d.DialContext(ctx, network, address)
}

// interfaceAddrs are the addresses of the machine's interfaces, the loopback left out.
func interfaceAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			addrs = append(addrs, prefix.Addr().Unmap())
		}
	}
	return addrs, nil
}
