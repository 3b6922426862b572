package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/tlspolicy/dane"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// Prober looks at domains.
type Prober struct {
	Resolver  dns.Resolver
	Roots     *x509.CertPool // nil: those of the system
	LocalName string         // for EHLO; "": our address
	Port      uint16
	Timeout   time.Duration // of each step
	// Dial makes connections to hosts and web servers; nil is that of [net.Dialer].
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Progress is drawn here, if it is a terminal.
	Progress io.Writer
}

// Bounds of a probe.
const (
	maxAddresses = 40
	atOnce       = 8
)

// Found is what was found of a domain.
type Found struct {
	Domain string   `json:"domain"`
	Signed bool     `json:"signed"` // where its mail goes is signed by DNSSEC
	Fault  string   `json:"fault,omitempty"`
	MTASTS *Policy  `json:"mta_sts,omitempty"`
	Hosts  []Host   `json:"hosts"`
	Notes  []string `json:"notes,omitempty"`

	permanent bool // the fault is for good
}

// Policy is the MTA-STS policy of a domain.
type Policy struct {
	ID     string   `json:"id,omitempty"`
	Mode   string   `json:"mode,omitempty"`
	MaxAge int64    `json:"max_age,omitempty"` // seconds
	MX     []string `json:"mx,omitempty"`
	Fault  string   `json:"fault,omitempty"`
}

// Host is one that takes the mail of the domain.
type Host struct {
	Name       string    `json:"name"`
	Preference int       `json:"preference"`
	TLS        string    `json:"tls"`            // what would be asked of it, and by whom
	DANE       []string  `json:"dane,omitempty"` // TLSA records, if all is signed
	DANEFault  string    `json:"dane_fault,omitempty"`
	Addresses  []Address `json:"addresses"`

	demand  tlspolicy.Demand
	refused bool
}

// Address is one of a host, and what it says.
type Address struct {
	Address    string       `json:"address"`
	Fault      string       `json:"fault,omitempty"`    // why it did not come to the end
	Insecure   string       `json:"insecure,omitempty"` // why the security that is asked for is not there
	Took       Took         `json:"took_ms"`
	Greeting   string       `json:"greeting,omitempty"`
	TLS        string       `json:"tls,omitempty"` // version and cipher
	TLSFault   string       `json:"tls_fault,omitempty"`
	Cert       *Certificate `json:"certificate,omitempty"`
	Extensions []string     `json:"extensions,omitempty"`
	Auth       []string     `json:"auth,omitempty"`
}

// Took is how long each step took, in milliseconds; zero: it did not come to it.
type Took struct {
	Connect  float64 `json:"connect,omitempty"`
	Greeting float64 `json:"greeting,omitempty"`
	TLS      float64 `json:"tls,omitempty"`   // from the greeting on: EHLO, STARTTLS and handshake
	Ready    float64 `json:"ready,omitempty"` // in all
}

// Certificate is what a host shows.
type Certificate struct {
	Names  []string  `json:"names"`
	Issuer string    `json:"issuer"` // "by ..." or "self-made"
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Key    string    `json:"key"` // the kind of it
	Fault  string    `json:"fault,omitempty"`
	DANE   string    `json:"dane,omitempty"` // "fits", or why it does not; "": nobody asks
}

// Probe looks at a domain, or at an address literal.
func (p *Prober) Probe(ctx context.Context, domain string) *Found {
	states := memspool.New(memspool.Options{})
	defer states.Close()
	j := &judge{
		dane: &dane.Source{Resolver: p.Resolver},
		sts: &mtasts.Source{States: states, Web: &publicweb.Client{
			Resolver: p.Resolver, Dial: p.Dial, Roots: p.Roots, Timeout: p.Timeout,
		}},
		said: map[string]verdict{},
	}
	planner := &remote.Transport{Resolver: p.Resolver, Port: p.Port, AllowLoopback: true, Judge: j}
	plan := planner.Plan(ctx, mail.Hop{Destination: domain})
	f := &Found{Domain: domain, Signed: plan.Authenticated, Notes: plan.Notes, Hosts: []Host{}}
	if plan.Fault != nil {
		f.Fault, f.permanent = plan.Fault.Reply.Text, plan.Fault.Fate == mail.Failed
		return f
	}
	if name, err := dns.ParseName(domain); err == nil {
		f.MTASTS = policyOf(j.sts.Policy(ctx, name))
	}
	for i := range plan.Hosts {
		f.Hosts = append(f.Hosts, j.host(&plan.Hosts[i]))
	}
	p.visit(ctx, f, plan.Hosts)
	return f
}

func policyOf(id string, p mtasts.Policy, fault, err error) *Policy {
	if err != nil {
		fault = err
	}
	if id == "" && fault == nil {
		return nil
	}
	out := &Policy{ID: id, Mode: string(p.Mode), MaxAge: int64(p.MaxAge / time.Second), MX: p.MX}
	if fault != nil {
		out.Fault = fault.Error()
	}
	return out
}

// judge is a [tlspolicy.Source] that remembers what each source has said.
type judge struct {
	dane *dane.Source
	sts  *mtasts.Source

	mu   sync.Mutex
	said map[string]verdict // by name of the host
}

// verdict is what was said of a host.
type verdict struct {
	demand  tlspolicy.Demand
	dane    tlspolicy.Demand
	daneErr error
}

// Demand implements [tlspolicy.Source].
func (j *judge) Demand(ctx context.Context, q tlspolicy.Query) (tlspolicy.Demand, error) {
	var v verdict
	v.dane, v.daneErr = j.dane.Demand(ctx, q)
	d, err := v.dane, v.daneErr
	if err == nil && d.IsZero() {
		d, err = j.sts.Demand(ctx, q)
	}
	v.demand = d
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said[q.Host.String()] = v
	return d, err
}

func (j *judge) host(h *transport.Host) Host {
	v := j.said[h.Name]
	out := Host{
		Name: h.Name, Preference: h.Preference, TLS: h.TLS, DANE: v.dane.Policy, Addresses: []Address{},
		demand: v.demand, refused: v.daneErr != nil || v.demand.Refused != "" && !v.demand.Testing,
	}
	if v.daneErr != nil {
		out.DANEFault = v.daneErr.Error()
	}
	return out
}

// visit looks at all addresses, some at a time.
func (p *Prober) visit(ctx context.Context, f *Found, hosts []transport.Host) {
	left := maxAddresses
	for i := range hosts {
		n := min(left, len(hosts[i].Addrs))
		left -= n
		for _, a := range hosts[i].Addrs[:n] {
			f.Hosts[i].Addresses = append(f.Hosts[i].Addresses, Address{Address: a.String()})
		}
	}
	bar := cli.NewProgress(p.Progress, "asking", int64(maxAddresses-left), func(n int64) string { return strconv.FormatInt(n, 10) })
	defer bar.Done()
	bar.Add(0)
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range f.Hosts {
		for k := range f.Hosts[i].Addresses {
			slots <- struct{}{}
			wait.Go(func() {
				p.look(ctx, &f.Hosts[i], &f.Hosts[i].Addresses[k], hosts[i].Addrs[k])
				bar.Add(1)
				<-slots
			})
		}
	}
	wait.Wait()
}

// look speaks with one address, until it is ready for mail.
func (p *Prober) look(ctx context.Context, h *Host, a *Address, at netip.AddrPort) {
	begun := time.Now()
	since := func(t time.Time) float64 { return float64(t.Sub(begun).Microseconds()) / 1000 }
	d := p.dialer(h)
	d.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := p.dial(ctx, at)
		if err == nil && a.Took.Connect == 0 {
			a.Took.Connect = since(time.Now())
		}
		return conn, err
	}
	trace := &smtpclient.Trace{
		Received: func(t time.Time, _ []byte) {
			if a.Took.Greeting == 0 {
				a.Took.Greeting = since(t)
			}
		},
		TLS: func(t time.Time, _ tls.ConnectionState) { a.Took.TLS = since(t) },
	}
	d.Trace = func(string, net.Conn) *smtpclient.Trace { return trace }
	c, err := d.Dial(ctx, "tcp", net.JoinHostPort(h.Name, strconv.Itoa(int(at.Port()))))
	if err != nil {
		a.Fault = tlspolicy.Line(err.Error())
		return
	}
	a.Took.Ready = since(time.Now())
	a.hear(h, c)
	_ = c.Quit(ctx) // what it says to that is of no interest
}

// dialer takes TLS as it comes, so that what is wrong with it can be told.
func (p *Prober) dialer(h *Host) *smtpclient.Dialer {
	t := p.Timeout
	return &smtpclient.Dialer{
		LocalName: p.LocalName, TLS: smtpclient.TLSOpportunistic,
		TLSConfig: &tls.Config{RootCAs: p.Roots, ServerName: h.demand.ServerName, MinVersion: tls.VersionTLS12},
		Timeouts:  smtpclient.Timeouts{Connect: t, Greeting: t, Hello: t, TLS: t, Quit: min(t, 2*time.Second), Command: t},
	}
}

func (p *Prober) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if p.Dial != nil {
		return p.Dial(ctx, to)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to.String())
}

// hear writes down what a host has said.
func (a *Address) hear(h *Host, c *smtpclient.Conn) {
	a.Greeting = tlspolicy.Line(c.Greeting().Error())
	x := c.Extensions()
	a.Extensions, a.Auth = x.Lines(), x.Mechanisms
	state, fault := c.TLS()
	if state == nil {
		a.TLSFault = "STARTTLS is not offered"
		if fault != nil {
			a.TLSFault = tlspolicy.Line(fault.Error())
		}
	} else {
		a.TLS = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
		a.Cert = certificate(state.PeerCertificates[0], fault)
		if h.demand.By == tlspolicy.ByDANE && h.demand.Verify != nil {
			a.Cert.DANE = "fits"
			if err := h.demand.Verify(*state); err != nil {
				a.Cert.DANE = tlspolicy.Line(err.Error())
			}
		}
	}
	a.Insecure = a.lacks(&h.demand)
}

// lacks is what is missing of the security that is asked for.
func (a *Address) lacks(d *tlspolicy.Demand) string {
	switch {
	case !d.Level.Mandatory():
		return ""
	case a.Cert == nil:
		return a.TLSFault
	case d.Level == tlspolicy.Encrypted:
		return ""
	case d.Verify == nil:
		return a.Cert.Fault
	case a.Cert.DANE != "fits":
		return a.Cert.DANE
	}
	return ""
}

func certificate(x *x509.Certificate, fault error) *Certificate {
	c := &Certificate{Names: x.DNSNames, Issuer: "by " + x.Issuer.String(), From: x.NotBefore, Until: x.NotAfter, Key: x.PublicKeyAlgorithm.String()}
	if x.Issuer.String() == x.Subject.String() {
		c.Issuer = "self-made"
	}
	if len(c.Names) == 0 {
		c.Names = []string{x.Subject.String()}
	}
	if k, ok := x.PublicKey.(interface{ Size() int }); ok {
		c.Key += fmt.Sprintf(" %d", k.Size()*8)
	}
	if fault != nil {
		c.Fault = tlspolicy.Line(fault.Error())
	}
	return c
}

// status is what the command ends with.
func (f *Found) status() cli.Status {
	switch {
	case f.Fault != "" && f.permanent:
		return cli.NoHost
	case f.Fault != "":
		return cli.TempFail
	}
	reached := false
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.refused {
			return cli.DataErr
		}
		for _, a := range h.Addresses {
			if a.Insecure != "" {
				return cli.DataErr
			}
			reached = reached || a.Fault == ""
		}
	}
	if !reached {
		return cli.TempFail
	}
	return cli.OK
}
