package domainsetup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
)

// Finding is something that was looked at.
type Finding struct {
	For   string // one of the kinds of records
	State State
	About string // a name, or an address
	Says  string // what was found
	Fix   string // what to do about it; "": nothing
}

// State is how something was found.
type State string

// The states. Missing and Wrong make mail go astray, or be taken for forged.
const (
	Good    State = "good"
	Advice  State = "advice" // it would be better otherwise
	Missing State = "missing"
	Wrong   State = "wrong"
	Unknown State = "unknown" // who was asked did not answer
)

// World is who is asked.
type World struct {
	DNS dns.ServiceResolver
	// Fetch fetches the MTA-STS policy of a domain.
	Fetch func(ctx context.Context, domain dns.Name) (mtasts.Policy, error)
}

// Check asks the DNS and the web whether they say of the domain what they should. It
// takes no longer than ctx: what was not answered then is unknown.
func Check(ctx context.Context, w World, s *Setup, now time.Time) []Finding {
	c := &checker{World: w, ctx: ctx, Setup: s, auth: authdns.Resolver{DNS: w.DNS}, now: now}
	c.exchanger()
	c.host()
	c.reverse()
	c.senders()
	c.keys()
	c.policy()
	c.tlsReports()
	c.transportSecurity()
	c.certificate()
	c.programs()
	return c.found
}

// checker is a check that is under way.
type checker struct {
	World
	*Setup
	ctx   context.Context // of this one check
	auth  authdns.Resolver
	now   time.Time
	found []Finding
}

func (c *checker) add(kind string, state State, about fmt.Stringer, says string, args ...any) *Finding {
	c.found = append(c.found, Finding{For: kind, State: state, About: about.String(), Says: fmt.Sprintf(says, args...)})
	return &c.found[len(c.found)-1]
}

// fix says what to do.
func (f *Finding) fix(text string, args ...any) { f.Fix = fmt.Sprintf(text, args...) }

// publish says to publish the records of a kind that are at a name.
func (c *checker) publish(f *Finding, typ string) {
	for _, r := range c.Records(c.now) {
		if r.For == f.For && r.Name.String() == f.About && r.Type == typ {
			f.fix("publish %s %s %s", absolute(r.Name), typ, r.Presentation())
			return
		}
	}
}

// unanswered notes that nobody answered, and reports whether it was so.
func (c *checker) unanswered(kind string, about fmt.Stringer, err error) bool {
	if err == nil || dns.Final(err) {
		return false
	}
	f := c.add(kind, Unknown, about, "there was no answer: %v", err)
	if errors.Is(err, dns.ErrBogus) {
		f.State = Wrong
		f.fix("the signatures of the zone (DNSSEC) do not hold: mend them, or have the parent zone take out its DS record")
	}
	return true
}

// below is a name under one of ours; the root if there is none, which nobody has.
func below(of dns.Name, labels string) dns.Name {
	n, _ := of.Below(labels)
	return n
}

func (c *checker) exchanger() {
	a, err := c.DNS.MX(c.ctx, c.Domain)
	if c.unanswered(ForMX, c.Domain, err) {
		return
	}
	if err != nil {
		f := c.add(ForMX, Missing, c.Domain, "it has no mail exchanger")
		c.publish(f, "MX")
		return
	}
	hosts := make([]string, len(a.Records))
	for i, mx := range a.Records {
		hosts[i] = mx.Host.String()
	}
	ours := slices.Index(hosts, c.Host.String())
	switch {
	case a.Records[0].Host.IsRoot():
		f := c.add(ForMX, Wrong, c.Domain, "it says that it takes no mail (null MX, RFC 7505)")
		c.publish(f, "MX")
	case ours < 0:
		f := c.add(ForMX, Wrong, c.Domain, "its mail goes to %s, and not to us", strings.Join(hosts, ", "))
		c.publish(f, "MX")
	case len(hosts) > 1:
		c.add(ForMX, Good, c.Domain, "its mail comes to us; its exchangers are %s", strings.Join(hosts, ", "))
	default:
		c.add(ForMX, Good, c.Domain, "its mail comes to %s", c.Host)
	}
}

// host looks for our own name: an exchanger must be no alias (RFC 5321, 5.1).
func (c *checker) host() {
	addrs, owner, err := c.addresses(c.Host)
	switch {
	case c.unanswered(ForAddress, c.Host, err):
		return
	case err != nil:
		f := c.add(ForAddress, Missing, c.Host, "our name has no address")
		f.fix("publish its addresses, of type A and AAAA")
		return
	case owner != c.Host:
		f := c.add(ForAddress, Wrong, c.Host, "it is an alias of %s, and an exchanger must not be one (RFC 5321, 5.1)", owner)
		f.fix("publish its addresses in the place of the CNAME")
		return
	}
	for _, a := range addrs {
		if len(c.Addrs) > 0 && !slices.Contains(c.Addrs, a) {
			f := c.add(ForAddress, Advice, c.Host, "it has the address %s, which no interface of this machine has", a)
			f.fix("mend the record, unless a router or another machine passes mail on from there to here (then name it with --address)")
			continue
		}
		c.add(ForAddress, Good, c.Host, "it has the address %s", a)
	}
}

func (c *checker) transportSecurity() {
	name := below(c.Domain, "_mta-sts")
	a, err := c.DNS.TXT(c.ctx, name)
	if c.unanswered(ForSTS, name, err) {
		return
	}
	own := c.Policy()
	id := mtasts.ParseRecord(a.Records)
	if id == "" {
		f := c.add(ForSTS, Advice, name, "there is no policy: whoever sits between may take TLS away from who sends to us")
		if own == nil {
			f.fix(`write https {} into the configuration, and ask again for the records (posthouse domain dns %s)`, c.Domain)
		} else {
			c.publish(f, "TXT")
		}
		return
	}
	p, err := c.Fetch(c.ctx, c.Domain)
	switch {
	case err != nil:
		f := c.add(ForSTS, Wrong, name, "the policy that it announces cannot be had: %v", err)
		f.fix("see to https://mta-sts.%s/.well-known/mta-sts.txt, with a certificate that is good for that name", c.Domain)
	case p.Mode == mtasts.None:
		c.add(ForSTS, Advice, name, "the policy says none: it is as if there was none")
	case !p.Names(c.Host):
		f := c.add(ForSTS, Wrong, name, "the policy does not name %s: who obeys it does not send to us", c.Host)
		f.fix("add the line mx: %s to the policy, and give its record another id", c.Host)
	case own != nil && p.String() == own.String() && id != PolicyID(own):
		f := c.add(ForSTS, Wrong, name, "the policy has changed, but not its id: who knows the one before keeps it")
		c.publish(f, "TXT")
	case p.Mode == mtasts.Testing:
		f := c.add(ForSTS, Advice, name, "the policy is being tried out: nobody obeys it yet")
		f.fix(`when the reports on TLS are clean, write mta_sts = "enforce" for the domain, and publish the new id`)
	default:
		c.add(ForSTS, Good, name, "the policy is in mode %s", p.Mode)
	}
}

func (c *checker) tlsReports() {
	name := below(c.Domain, "_smtp._tls")
	a, err := c.DNS.TXT(c.ctx, name)
	if c.unanswered(ForTLSReports, name, err) {
		return
	}
	if n := len(startingWith(a.Records, "v=TLSRPTv1")); n != 1 {
		f := c.add(ForTLSReports, Advice, name, "%s: nobody tells you how TLS to us turns out", thereAre(n))
		c.publish(f, "TXT")
		return
	}
	c.add(ForTLSReports, Good, name, "reports on TLS are asked for")
}

// certificate compares what the DNS says of our certificate with the one that we show.
// What is wrong there has others send us nothing (RFC 7672, 2.2).
func (c *checker) certificate() {
	name := below(c.Host, "_25._tcp")
	host, err := c.DNS.A(c.ctx, c.Host)
	if err != nil && !dns.Final(err) {
		return // that was told
	}
	a, err := c.DNS.TLSA(c.ctx, name)
	switch {
	case c.unanswered(ForDANE, name, err):
	case err != nil && !host.Authenticated:
		c.add(ForDANE, Advice, name, "there is no record; it would be of use once the zone is signed by DNSSEC (or its resolver validates)")
	case err != nil:
		f := c.add(ForDANE, Advice, name, "there is no record, though the zone is signed")
		c.publish(f, "TLSA")
	case !a.Authenticated:
		f := c.add(ForDANE, Advice, name, "the record is of no use: its zone is not signed, or the resolver does not validate")
		f.fix("sign the zone by DNSSEC; and ask a resolver that validates (posthouse domain check --dns 127.0.0.1)")
	case len(c.Certificates) == 0:
		c.add(ForDANE, Unknown, name, "the certificate that we show is made anew for each run, so that no record holds")
	case !c.shown(a.Records):
		f := c.add(ForDANE, Wrong, name, "none of its records (%s) is that of our certificate: who obeys it does not send to us", joined(a.Records))
		c.publish(f, "TLSA")
	default:
		c.add(ForDANE, Good, name, "it names the key of our certificate")
	}
}

// shown reports whether one of the records fits a certificate of ours. What is not of the kind
// that we would publish is taken for good: it may name an authority.
func (c *checker) shown(records []dns.TLSA) bool {
	return slices.ContainsFunc(records, func(r dns.TLSA) bool {
		return slices.ContainsFunc(c.Certificates, func(own dns.TLSA) bool {
			same := r.Usage == own.Usage && r.Selector == own.Selector && r.Matching == own.Matching
			return !same && r.Usage == 2 || same && string(r.Data) == string(own.Data)
		})
	})
}

// programs looks for what helps people's programs, all of which is advice.
func (c *checker) programs() {
	for _, r := range c.Records(c.now) {
		if r.For != ForPrograms {
			continue
		}
		says, err := c.program(&r)
		if c.unanswered(ForPrograms, r.Name, err) {
			continue
		}
		if says != "" {
			f := c.add(ForPrograms, Advice, r.Name, "%s", says)
			c.publish(f, r.Type)
			continue
		}
		c.add(ForPrograms, Good, r.Name, "%s", r.Note)
	}
}

// program says what is wrong with a record; "": nothing.
func (c *checker) program(r *Record) (string, error) {
	if r.Type == "CNAME" {
		addrs, _, err := c.addresses(r.Name)
		if err != nil {
			return "there is none: " + r.Note, err
		}
		ours, _, err := c.addresses(c.Host)
		if err == nil && !slices.ContainsFunc(addrs, func(a addr) bool { return slices.Contains(ours, a) }) {
			return fmt.Sprintf("it leads to %s, which is not us", addrs[0]), nil
		}
		return "", err
	}
	a, err := c.DNS.SRV(c.ctx, r.Name)
	if err != nil {
		return "there is none: " + r.Note, err
	}
	for _, s := range a.Records {
		want := strings.Fields(r.Value)
		if absolute(s.Host) == want[3] && fmt.Sprint(s.Port) == want[2] {
			return "", nil
		}
	}
	return fmt.Sprintf("it says %s", joined(a.Records)), nil
}

func joined[T fmt.Stringer](all []T) string {
	texts := make([]string, len(all))
	for i, r := range all {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}

func startingWith(texts []string, prefix string) []string {
	var found []string
	for _, t := range texts {
		if len(t) >= len(prefix) && strings.EqualFold(t[:len(prefix)], prefix) {
			found = append(found, t)
		}
	}
	return found
}

func thereAre(records int) string {
	if records == 0 {
		return "there is no record"
	}
	return fmt.Sprintf("there are %d records, so that none holds", records)
}
