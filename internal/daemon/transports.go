package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/internal/route"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/lmtp"
	"github.com/posthouse/posthouse/internal/transport/maildir"
	"github.com/posthouse/posthouse/internal/transport/mbox"
	"github.com/posthouse/posthouse/internal/transport/pipe"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// buildTransports makes one for each route, and those that an operator may name
// whatever the routes are.
func (b *builder) buildTransports(r *rooms) error {
	r.transports, r.relays = map[string]transport.Transport{}, relays{}
	routes := append([]config.Route{
		{Name: config.DefaultRoute, Transport: config.Discard},
		{Name: config.DefaultRoute, Transport: config.Smarthost},
		{Name: config.DefaultRoute, Transport: config.Remote},
	}, b.cfg.Routes...)
	for i := range routes {
		t, err := b.transportOf(r, &routes[i])
		if err != nil {
			return err
		}
		r.transports[nameOf(&routes[i])] = b.world.Carry(t)
	}
	return b.aliasTransports(r)
}

// aliasTransports carry mail to where aliases in the form of Unix say; the directory says
// which of them are allowed.
func (b *builder) aliasTransports(r *rooms) error {
	folders, err := maildir.New(maildir.Options{Aliases: true, Disk: b.world.Maildirs})
	r.transports[route.AliasMaildir] = folders
	r.transports[route.AliasFile] = mbox.New(mbox.Options{})
	r.transports[route.AliasCommand] = pipe.Aliases(pipe.Options{Exec: b.world.Exec})
	return err
}

// remote is to the hosts that the DNS names.
func (b *builder) remote(r *config.Route) (transport.Transport, error) {
	t, err := b.hosts(r)
	if err != nil {
		return nil, err
	}
	b.secure(t, r)
	return t, nil
}

// smarthost is to hosts that the configuration names.
func (b *builder) smarthost(rooms *rooms, r *config.Route) (transport.Transport, error) {
	t, err := b.hosts(r)
	if err != nil {
		return nil, err
	}
	policy, trust := tlsPolicy(r.TLS.Value, smtpclient.TLSRequire), b.trust(r)
	t.Smarthost = true
	t.Policy = func(string) (smtpclient.TLSPolicy, *tls.Config) { return policy, trust }
	if r.OAuth.Given() {
		t.Auth, t.AuthRefused = b.byToken(rooms, r)
	} else if login := b.login(r); login != nil {
		t.Auth = func(context.Context) (*smtpclient.Auth, error) { return login, nil }
	}
	return t, nil
}

// hosts is what both ways to other hosts have in common.
func (b *builder) hosts(r *config.Route) (*remote.Transport, error) {
	resolver, err := b.resolver()
	if err != nil {
		return nil, err
	}
	t := &remote.Transport{
		Resolver: resolver, LocalName: b.cfg.Hostname.Value, Dial: b.world.from, Seed: b.world.Seed,
		MaxConns: most(r.Limits.Destination.Value, r.Limits.Site.Value), MaxRecipients: r.Limits.Recipients.Value,
		AllowLoopback: b.cfg.DNS.Loopback.Value, Trace: b.world.Sessions.Outbound,
	}
	if name, err := dns.ParseName(b.cfg.Hostname.Value); err == nil {
		t.Self.Names = []dns.Name{name}
	}
	t.Self.Addrs, err = b.world.Addrs()
	t.Self.Addrs = append(t.Self.Addrs, b.listensAt()...)
	return t, err
}

// listensAt are the addresses at which mail comes in, where others would find us.
func (b *builder) listensAt() (all []netip.Addr) {
	for i := range b.cfg.Listen {
		for _, address := range b.cfg.Listen[i].Address.Value {
			if at, err := netip.ParseAddrPort(address); err == nil && at.Port() == 25 && !at.Addr().IsUnspecified() {
				all = append(all, at.Addr().Unmap())
			}
		}
	}
	return all
}

// most is the number of connections that the limits of deliveries can make use of.
func most(limits ...int) int {
	n := 0
	for _, l := range limits {
		n = max(n, l)
	}
	return n
}

// resolver is who is asked about domains: one for all, since it remembers.
func (b *builder) resolver() (dns.Resolver, error) {
	if b.dns == nil {
		b.dns = b.world.Resolver
	}
	if b.dns != nil {
		return b.dns, nil
	}
	c := &dnsclient.Client{Servers: b.cfg.DNS.Servers.Value}
	if len(c.Servers) == 0 {
		text, err := b.read(resolvConf)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", resolvConf, err)
		}
		if c, err = dnsclient.ReadResolvConf(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", resolvConf, err)
		}
	}
	c.Timeout, c.Dial = b.cfg.DNS.Timeout.Value, b.world.anywhere
	c.TrustAD = c.TrustAD || b.cfg.DNS.Trusted.Value // resolv.conf can say so, too
	b.dns = c
	return c, nil
}

// resolvConf names the servers of the system; without it the resolver is on this host.
const resolvConf = "/etc/resolv.conf"

// lmtp is to the servers of a mail store.
func (b *builder) lmtp(r *config.Route) (transport.Transport, error) {
	var servers transport.InOrder
	for _, address := range r.LMTP.Value {
		path, _ := strings.CutPrefix(address, "unix:")
		servers = append(servers, lmtp.New(lmtp.Options{
			Address: path, LocalName: b.cfg.Hostname.Value, Dial: b.world.anywhere, Trace: b.world.Sessions.Outbound,
			TLS: tlsPolicy(r.TLS.Value, smtpclient.TLSRequire), TLSConfig: b.trust(r), Auth: b.login(r),
			MaxRecipients: r.Limits.Recipients.Value, MaxConns: most(r.Limits.Destination.Value, r.Limits.Site.Value),
		}))
	}
	if len(servers) == 1 {
		return servers[0], nil
	}
	return servers, nil
}

func (b *builder) maildir(r *config.Route) (transport.Transport, error) {
	root, path := b.cfg.MaildirOf(r)
	return maildir.New(maildir.Options{Root: root, Path: path, Quota: max(r.Quota.Value, 0), Disk: b.world.Maildirs})
}

func (b *builder) pipe(r *config.Route) (transport.Transport, error) {
	return pipe.New(pipe.Options{Argv: r.Pipe.Value, Timeout: r.Timeout.Value, Exec: b.world.Exec})
}

func tlsPolicy(word string, otherwise smtpclient.TLSPolicy) smtpclient.TLSPolicy {
	switch word {
	case "require":
		return smtpclient.TLSRequire
	case "opportunistic":
		return smtpclient.TLSOpportunistic
	case "implicit":
		return smtpclient.TLSImplicit
	case "never":
		return smtpclient.TLSNever
	}
	return otherwise
}

// trust says whose certificates are good; nil: those of the system's authorities.
func (b *builder) trust(r *config.Route) *tls.Config {
	if pool := b.authorities(r.CA); pool != nil {
		return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return nil
}

// authorities reads trusted certificates; nil if no file of them is named.
func (b *builder) authorities(ca config.Setting[string]) *x509.CertPool {
	if !ca.Given() {
		return nil
	}
	pool := x509.NewCertPool()
	if text, ok := b.file(ca); ok && !pool.AppendCertsFromPEM(text) {
		b.add(ca.Origin, "%q holds no certificate in PEM form", ca.Value)
	}
	return pool
}

// login says who we are at a host; nil: nobody.
func (b *builder) login(r *config.Route) *smtpclient.Auth {
	if !r.User.Given() {
		return nil
	}
	// In clear a password goes to this machine only, which the configuration checks.
	return &smtpclient.Auth{
		Username: r.User.Value, Password: b.password(&r.Password),
		AllowPlaintext: r.TLS.Value == "never" || r.TLS.Value == "opportunistic",
	}
}

// maxFile is the longest certificate or password file, in octets.
const maxFile = 1 << 20

// file reads a file that a setting names. What is wrong with it is noted.
func (b *builder) file(s config.Setting[string]) (text []byte, ok bool) {
	text, err := b.read(s.Value)
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err // it would name the file again
		}
		b.add(s.Origin, "cannot read %q: %v", s.Value, err)
	}
	return text, err == nil
}

func (b *builder) read(name string) ([]byte, error) { return b.world.read(name) }

func (w *World) read(name string) ([]byte, error) {
	f, err := w.Files.Open(name)
	if err != nil {
		return nil, err
	}
	return plainfile.Read(f, maxFile)
}
