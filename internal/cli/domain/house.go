package domain

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/domainsetup"
	"github.com/posthouse/posthouse/internal/plainfile"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/smtp"
)

// house is the mail system to which a domain belongs.
type house struct {
	*options
	file  string // the configuration
	cfg   *config.Config
	dir   string // of all keys
	setup domainsetup.Setup
}

// open reads what is known of a domain.
func (o *options) open(cmd *cobra.Command, domain string) (*house, error) {
	name, err := dns.ParseName(domain)
	if err != nil || name.IsRoot() {
		return nil, cli.Fail(cli.Usage, "%q is no domain (write example.org)", domain)
	}
	where, err := cli.FindHouse(o.config, o.data)
	switch {
	case err != nil:
		return nil, err
	case where.Config == "":
		return nil, cli.Fail(cli.NoInput, "there is no configuration (--config FILE or %s names one; posthouse config example mx prints one to begin with)", cli.ConfigVariable)
	}
	c, err := cli.ReadConfig(where.Config)
	var found config.Problems
	if errors.As(err, &found) {
		return nil, errors.Join(cli.TellProblems(cmd.ErrOrStderr(), where.Config, found), cli.End(cli.Config))
	}
	if err != nil {
		return nil, err
	}
	h := &house{options: o, file: where.Config, cfg: c, dir: filepath.Join(where.Data, dkimkeys.Folder)}
	return h, h.learn(name)
}

// learn gathers the facts about a domain.
func (h *house) learn(domain dns.Name) error {
	s := &h.setup
	s.Domain, s.DMARC, s.Reports = domain, dmarc.Policy(h.dmarc), h.reports
	switch s.DMARC {
	case dmarc.None, dmarc.Quarantine, dmarc.Reject:
	default:
		return cli.Fail(cli.Usage, "--dmarc %q is none of none, quarantine and reject", h.dmarc)
	}
	if h.reports != "" {
		if _, err := smtp.ParseMailbox(h.reports); err != nil {
			return cli.Fail(cli.Usage, "--reports %q is no mailbox", h.reports)
		}
	}
	var err error
	if s.Host, err = dns.ParseName(h.cfg.Hostname.Value); err != nil {
		return cli.Fail(cli.Config, "hostname: %w", err)
	}
	if s.Addrs, err = h.addrs(); err != nil {
		return err
	}
	s.Submission, s.Submissions = h.port(config.ListenSubmission), h.port(config.ListenSubmissions)
	s.Certificates = h.certificates()
	h.pages()
	return h.readKeys()
}

// pages are what the web server of the house says of the domain, and of where mail is read.
func (h *house) pages() {
	s, web := &h.setup, &h.cfg.HTTPS
	if !web.Used() {
		return
	}
	s.Web, s.STS = true, mtasts.Testing
	if d := h.domain(); d != nil {
		s.STS = mtasts.Mode(d.MTASTS.Value)
	}
	if web.IMAP.Value != "" {
		s.IMAP, _ = dns.ParseName(web.IMAP.Value) // both were checked with the configuration
	}
	if web.POP3.Value != "" {
		s.POP3, _ = dns.ParseName(web.POP3.Value)
	}
}

// domain is what the configuration says of the domain; nil: nothing.
func (h *house) domain() *config.Domain {
	name := h.setup.Domain.String()
	for i := range h.cfg.Domains {
		if d := &h.cfg.Domains[i]; d.Name == name || slices.Contains(d.Also.Value, name) {
			return d
		}
	}
	return nil
}

func (h *house) readKeys() (err error) {
	h.setup.Keys, err = dkimkeys.Read(plainfile.Disk{}, h.dir, h.setup.Domain.String())
	switch {
	case errors.Is(err, fs.ErrPermission):
		return cli.Fail(cli.NoPerm, "%w (keys are for the daemon and for root)", err)
	case err != nil:
		return cli.Fail(cli.NoInput, "%w", err)
	}
	return nil
}

// addrs are those that flags name, or else the public ones of the machine.
func (h *house) addrs() ([]netip.Addr, error) {
	var all []netip.Addr
	for _, s := range h.addresses {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return nil, cli.Fail(cli.Usage, "--address %q is no IP address", s)
		}
		all = append(all, a.Unmap())
	}
	if len(all) > 0 {
		return all, nil
	}
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, cli.Fail(cli.OSErr, "%w (name them by --address)", err)
	}
	for _, f := range found {
		p, err := netip.ParsePrefix(f.String())
		if err == nil && isPublic(p.Addr().Unmap()) {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all, nil
}

// isPublic reports whether others may be able to reach an address: it is none that is given
// away again and again behind routers (RFC 1918, 4193, 6598).
func isPublic(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// port is that of the first listener of a kind; 0: there is none.
func (h *house) port(kind string) int {
	for i := range h.cfg.Listen {
		l := &h.cfg.Listen[i]
		if l.Kind != kind {
			continue
		}
		for _, at := range l.Address.Value {
			_, port, err := net.SplitHostPort(at)
			if n, bad := strconv.Atoi(port); err == nil && bad == nil {
				return n
			}
		}
	}
	return 0
}

// certificates are the digests of the keys of those that are good for our name. A file
// that cannot be read is not told of here: the daemon does.
func (h *house) certificates() []dns.TLSA {
	var all []dns.TLSA
	var files []string
	for i := range h.cfg.Certificates {
		files = append(files, h.cfg.Certificates[i].Chain.Value)
	}
	if h.cfg.ACME.Used() { // those that an authority gave
		host := h.setup.Host.String()
		got, _ := filepath.Glob(filepath.Join(filepath.Dir(h.dir), "acme", "certificates", "*", host, host+".crt"))
		files = append(files, got...)
	}
	for _, file := range files {
		leaf := readLeaf(file)
		if leaf == nil || leaf.VerifyHostname(h.setup.Host.String()) != nil {
			continue
		}
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		all = append(all, dns.TLSA{Usage: 3, Selector: 1, Matching: 1, Data: sum[:]})
	}
	return all
}

func readLeaf(name string) *x509.Certificate {
	f, err := plainfile.Disk{}.Open(name)
	if err != nil {
		return nil
	}
	text, err := plainfile.Read(f, 1<<20)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}

// makeKeys makes the keys of the domain, if it has none that signs or is to sign. It returns
// those that were made.
func (h *house) makeKeys(now time.Time) ([]dkimkeys.Key, error) {
	domain := h.setup.Domain.String()
	for i := range h.setup.Keys {
		if stage := h.setup.Keys[i].Stage(now); stage == dkimkeys.Signing || stage == dkimkeys.Waiting {
			return nil, nil
		}
	}
	pair, err := dkimkeys.MakePair(h.dir, domain, now)
	if err == nil {
		err = dkimkeys.Edit(h.dir, domain, func(all []dkimkeys.Entry) ([]dkimkeys.Entry, error) {
			return dkimkeys.Added(all, []string{pair[0].Selector, pair[1].Selector}, now, dkimkeys.Pace{}), nil
		})
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.Fail(cli.NoPerm, "%w (keys are made by the user of the daemon, or by root)", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Fail(cli.CantCreate, "the data directory %s is not there yet (the daemon makes it when it starts: posthouse run)", filepath.Dir(h.dir))
	case err != nil:
		return nil, cli.Fail(cli.CantCreate, "%w", err)
	}
	return pair, h.readKeys()
}
