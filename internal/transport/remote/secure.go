package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/tlspolicy"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// terms are how a host is spoken to.
type terms struct {
	query  tlspolicy.Query
	demand tlspolicy.Demand
	judged bool // by the Judge, and not by Policy

	policy smtpclient.TLSPolicy
	config *tls.Config
	// refused is what becomes of recipients without asking the host; nil: nothing does.
	refused *mail.Outcome
}

// waivable: a sender may waive what is asked for, since it is the recipients' wish.
func (w *terms) waivable() bool {
	return w.judged && (w.demand.FromRecipient() || w.demand.IsZero() && w.refused != nil)
}

// String tells how much security is asked for, and by whom.
func (w *terms) String() string {
	words := [...]string{"required", "opportunistic", "implicit", "never"}[w.policy]
	switch {
	case w.refused != nil:
		return "not used: " + w.refused.Reply.Text
	case w.demand.IsZero():
		return words
	case w.demand.Testing:
		return "opportunistic (" + w.demand.Why + ")"
	}
	return w.demand.Level.String() + " (" + w.demand.Why + ")"
}

// answered is what the DNS says of one family of a host's addresses.
type answered struct {
	name   dns.Name
	signed bool
	err    error
}

// signedBy returns where CNAME records lead, and whether all that there is is signed. That
// there are no addresses of the other family has to be signed too.
func signedBy(host dns.Name, families ...answered) (canonical dns.Name, signed bool) {
	canonical, signed = host, true
	asked := false
	for _, f := range families {
		if f.name.IsRoot() || f.err != nil && !dns.Final(f.err) {
			// It was not asked about; or there was no answer, and whoever holds that
			// back must not be able to take away security.
			continue
		}
		asked = true
		signed = signed && f.signed
		if f.err == nil {
			canonical = f.name
		}
	}
	return canonical, signed && asked
}

// secure asks how much security each host needs.
func (p *planner) secure(ctx context.Context) {
	var wait sync.WaitGroup
	for _, h := range p.hosts {
		if h.err == nil {
			wait.Go(func() { h.terms = p.judge(ctx, h) })
		}
	}
	wait.Wait()
	for _, h := range p.hosts {
		if h.err != nil {
			continue
		}
		d := &h.terms.demand
		if h.terms.refused != nil {
			p.ttl = min(p.ttl, longestFault)
			p.note("%s is not used: %s", h.name, h.terms.refused.Reply.Text)
		}
		if !d.Until.IsZero() {
			p.ttl = min(p.ttl, time.Until(d.Until))
		}
		if d.IsZero() && d.Why != "" {
			p.note("%s", d.Why)
		}
		if d.Fault != nil {
			p.note("%s has a policy that cannot be had: %v", p.domain, d.Fault)
		}
	}
}

// judge makes the terms for a host.
func (p *planner) judge(ctx context.Context, h *candidate) *terms {
	if p.t.Judge == nil || p.t.Smarthost {
		return p.t.fixedTerms(h.name)
	}
	w := &terms{judged: true, query: tlspolicy.Query{
		Domain: p.name, Signed: p.plan.Authenticated,
		Host: h.lookup, Canonical: h.canonical, HostSigned: h.signed, Port: h.port,
	}}
	d, err := p.t.Judge.Demand(ctx, w.query)
	w.demand = d
	if err != nil {
		w.refused = insecureHost("%v", err)
		p.t.note(ctx, w, netip.AddrPort{}, err)
		return w
	}
	if d.Refused != "" && !d.Testing {
		w.refused = insecureHost("%s", d.Refused)
	}
	if d.Refused != "" || d.Fault != nil {
		p.t.note(ctx, w, netip.AddrPort{}, refusal(&d))
	}
	w.policy, w.config = p.t.under(h.name, &d)
	return w
}

// refusal is why a host is not named by a policy, or why the policy is not known.
func refusal(d *tlspolicy.Demand) error {
	if d.Fault != nil {
		return d.Fault
	}
	return &tlspolicy.FailureError{Failure: tlspolicy.ValidationFailure, Err: errors.New(d.Refused)}
}

func insecureHost(format string, args ...any) *mail.Outcome {
	o := fault(mail.Deferred, smtp.CodeLocalError, smtp.EnhancedCode{4, 7, 5}, format, args...)
	o.HostDown = true
	return o
}

// fixedTerms are those that the Policy of the transport gives.
func (t *Transport) fixedTerms(host string) *terms {
	w := &terms{}
	w.policy, w.config = t.policy(host)
	return w
}

// waivedTerms are for a sender who waives a demand.
func (t *Transport) waivedTerms(w *terms) *terms {
	free := &terms{judged: true, query: w.query, demand: tlspolicy.Demand{Key: "waived"}}
	free.policy, free.config = t.under(w.query.Host.String(), &free.demand)
	return free
}

// under translates a demand for the client.
func (t *Transport) under(host string, d *tlspolicy.Demand) (smtpclient.TLSPolicy, *tls.Config) {
	config := t.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = d.ServerName
	switch d.Level {
	case tlspolicy.Never:
		return smtpclient.TLSNever, nil
	case tlspolicy.Encrypted:
		config.InsecureSkipVerify = true // with any certificate
	case tlspolicy.Verified:
		if d.Verify != nil {
			config.InsecureSkipVerify, config.VerifyConnection = true, d.Verify
		}
	default:
		return smtpclient.TLSOpportunistic, config
	}
	return smtpclient.TLSRequire, config
}

// terms are those of a host for this message.
func (a *attempt) terms(h *transport.Host) *terms {
	w, ok := h.Terms.(*terms)
	if !ok {
		w = a.t.fixedTerms(h.Name) // the plan is not ours
	}
	if a.mustSecure() {
		return a.raised(h, w)
	}
	return w
}

// turnedAway leaves all recipients to the next host, since this one is not used.
func (a *attempt) turnedAway(h *transport.Host, w *terms) {
	o := *w.refused
	o.Host, o.Addr = h.Name, h.Addrs[0].String()
	entry := a.note(h.Name, h.Addrs[0], o.Reply.Text)
	for _, i := range a.sheet.Open() {
		a.putAside(i, o, entry)
	}
}

// aboutTLS reports whether a connection was given up since it could not be secured as asked.
func aboutTLS(err error) bool {
	var at *smtpclient.ConnectionError
	return errors.As(err, &at) && at.Stage == smtp.VerbSTARTTLS
}

// insecure tells who asked for the security that a connection does not have. A message with
// REQUIRETLS fails if it is for good (RFC 8689, 4.2.1).
func (a *attempt) insecure(w *terms, o mail.Outcome, err error) mail.Outcome {
	if !aboutTLS(err) || o.OurLimit {
		return o
	}
	reply := *o.Reply
	if w.demand.Why != "" {
		reply.Text = transport.Line(reply.Text + " (TLS is needed: " + w.demand.Why + ")")
	}
	if a.mustSecure() {
		o.HostDown = false // others ask for less
		if lasting(err) {
			reply.Code, reply.Enhanced = smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 10}
			o.Fate, o.Local = mail.Failed, true
		}
	}
	o.Reply = &reply
	return o
}
