package domainsetup

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/senderauth/spf"
)

type addr = netip.Addr

// addresses returns those of a host, and the name at which they are.
func (c *checker) addresses(host dns.Name) ([]addr, dns.Name, error) {
	v4, err := c.DNS.A(c.ctx, host)
	v6, err6 := c.DNS.AAAA(c.ctx, host)
	all := append(v4.Records[:len(v4.Records):len(v4.Records)], v6.Records...)
	switch {
	case len(v4.Records) > 0:
		return all, v4.Name, nil
	case len(v6.Records) > 0:
		return all, v6.Name, nil
	case err6 != nil && !dns.Final(err6):
		return nil, host, err6
	}
	return nil, host, err
}

// sending are the addresses from which our mail comes, as far as that is known.
func (c *checker) sending() []addr {
	if len(c.Addrs) > 0 {
		return c.Addrs
	}
	all, _, _ := c.addresses(c.Host) // what is wrong with them was told
	return all
}

// reverse looks for the names of our addresses, each of which must lead back.
func (c *checker) reverse() {
	for _, at := range c.sending() {
		a, err := c.DNS.PTR(c.ctx, at)
		switch {
		case c.unanswered(ForReverse, at, err):
		case err != nil:
			f := c.add(ForReverse, Missing, at, "the address has no name, and many refuse mail from such")
			f.fix("have whoever gave you the address set its name to %s", c.Host)
		case slices.Contains(a.Records, c.Host):
			c.add(ForReverse, Good, at, "its name is %s", c.Host)
		case c.leadsBack(a.Records, at):
			f := c.add(ForReverse, Advice, at, "its name is %s, which leads back, but is not what we call ourselves", joined(a.Records))
			f.fix("have whoever gave you the address set its name to %s", c.Host)
		default:
			f := c.add(ForReverse, Wrong, at, "its name is %s, which does not lead back to it", joined(a.Records))
			f.fix("have whoever gave you the address set its name to %s", c.Host)
		}
	}
}

func (c *checker) leadsBack(names []dns.Name, to addr) bool {
	const most = 10 // RFC 7208, 5.5
	return slices.ContainsFunc(names[:min(len(names), most)], func(n dns.Name) bool {
		all, _, _ := c.addresses(n)
		return slices.Contains(all, to)
	})
}

// senders asks SPF whether our addresses may send: as the domain, and as the host.
func (c *checker) senders() {
	a, err := c.DNS.TXT(c.ctx, c.Domain)
	if c.unanswered(ForSPF, c.Domain, err) {
		return
	}
	switch all := startingWith(a.Records, "v=spf1"); {
	case len(all) == 0:
		f := c.add(ForSPF, Missing, c.Domain, "nothing says who may send for it")
		c.publish(f, "TXT")
	case len(all) > 1:
		f := c.add(ForSPF, Wrong, c.Domain, "there are %d records, so that none holds (RFC 7208, 4.5)", len(all))
		f.fix("make one of them: %s", strings.Join(all, " | "))
	default:
		c.spf(all[0])
	}
	c.hello()
}

func (c *checker) spf(record string) {
	const many = 8 // of the ten that are allowed
	if words := strings.Fields(strings.ToLower(record)); slices.Contains(words, "+all") || slices.Contains(words, "all") {
		f := c.add(ForSPF, Wrong, c.Domain, "everybody may send for it: %s", record)
		f.fix("end it with ~all")
		return
	}
	for _, from := range c.sending() {
		r := spf.Check(c.ctx, c.auth, spf.Query{IP: from, Helo: c.Host.String(), MailFrom: "postmaster@" + c.Domain.String()}, spf.Options{NoExplanation: true})
		used := fmt.Sprintf("%d of 10 lookups", r.Lookups)
		switch {
		case r.Verdict == senderauth.TempError:
			c.add(ForSPF, Unknown, c.Domain, "the servers that it asks do not answer: %v", r.Err)
		case r.Verdict == senderauth.PermError:
			f := c.add(ForSPF, Wrong, c.Domain, "it cannot be evaluated: %v", r.Err)
			c.publish(f, "TXT")
		case r.Verdict != senderauth.Pass:
			f := c.add(ForSPF, Wrong, c.Domain, "it says %s of our mail from %s (by %s)", r.Verdict, from, r.Mechanism)
			f.fix("add mx to it, before what ends in all: %s", record)
		case r.Lookups > many:
			f := c.add(ForSPF, Advice, c.Domain, "our mail from %s passes, but with %s, and beyond ten it says nothing any more", from, used)
			f.fix("write addresses in the place of includes")
		default:
			c.add(ForSPF, Good, c.Domain, "our mail from %s passes by %s (%s)", from, r.Mechanism, used)
		}
	}
}

// hello is SPF for mail without a sender, such as reports.
func (c *checker) hello() {
	sending := c.sending()
	if c.Host == c.Domain || len(sending) == 0 {
		return
	}
	r := spf.Check(c.ctx, c.auth, spf.Query{IP: sending[0], Helo: c.Host.String()}, spf.Options{NoExplanation: true})
	switch r.Verdict {
	case senderauth.Pass:
		c.add(ForSPF, Good, c.Host, "reports, which have no sender, pass by our name (%s)", r.Mechanism)
	case senderauth.TempError:
		c.add(ForSPF, Unknown, c.Host, "there was no answer: %v", r.Err)
	case senderauth.None:
		f := c.add(ForSPF, Advice, c.Host, "nothing says who may call himself so, in reports, which have no sender")
		c.publish(f, "TXT")
	default:
		f := c.add(ForSPF, Wrong, c.Host, "it says %s of reports that come from us", r.Verdict)
		c.publish(f, "TXT")
	}
}

// keys compares the keys in the DNS with ours.
func (c *checker) keys() {
	signs := false
	for i := range c.Keys {
		k := &c.Keys[i]
		stage := k.Stage(c.now)
		signs = signs || stage == dkimkeys.Signing
		c.key(k, stage)
	}
	if !signs {
		f := c.add(ForDKIM, Missing, c.Domain, "there is no key, so that its mail is not signed")
		f.fix("posthouse domain add %s makes them", c.Domain)
	}
}

func (c *checker) key(k *dkimkeys.Key, stage dkimkeys.Stage) {
	name := below(c.Domain, k.Selector+"._domainkey")
	public, err := senderauth.LookupKey(c.ctx, c.auth, k.Selector, c.Domain.String())
	gone := errors.Is(err, senderauth.ErrNoKey) || errors.Is(err, senderauth.ErrKeyRevoked)
	own, _ := senderauth.ParseKey(k.Record())
	switch {
	case stage == dkimkeys.Over && err != nil:
	case stage == dkimkeys.Over:
		f := c.add(ForDKIM, Advice, name, "the key signs no more, and its record may go")
		f.fix("take the record out of the DNS; then posthouse dkim rotate %s forgets the key", c.Domain)
	case gone && stage == dkimkeys.Kept:
		f := c.add(ForDKIM, Wrong, name, "its record is not there, though mail that it has signed may still be under way")
		c.publish(f, "TXT")
	case gone && stage == dkimkeys.Waiting:
		f := c.add(ForDKIM, Advice, name, "the key that is to sign next is not there yet")
		c.publish(f, "TXT")
	case gone:
		f := c.add(ForDKIM, Missing, name, "%v, though we sign with it", err)
		c.publish(f, "TXT")
	case errors.Is(err, senderauth.ErrKeySyntax):
		f := c.add(ForDKIM, Wrong, name, "%v", err)
		c.publish(f, "TXT")
	case err != nil:
		c.add(ForDKIM, Unknown, name, "there was no answer: %v", err)
	case !same(own, public):
		f := c.add(ForDKIM, Wrong, name, "the key there is not ours, so that no signature of ours holds")
		c.publish(f, "TXT")
	case public.Testing:
		f := c.add(ForDKIM, Advice, name, "it says that it is only being tried out (t=y)")
		c.publish(f, "TXT")
	default:
		c.add(ForDKIM, Good, name, "%s, by %s, is there", stageWords(stage), k.Algorithm())
	}
}

func same(a, b *senderauth.Key) bool {
	if a == nil || b == nil {
		return false
	}
	x, err := senderauth.FormatKey(a.Public)
	y, err2 := senderauth.FormatKey(b.Public)
	return err == nil && err2 == nil && x == y
}

// policy looks for DMARC, and has it judge a message as we would sign it.
func (c *checker) policy() {
	name := below(c.Domain, "_dmarc")
	header := message.Header{message.RawField("From: postmaster@" + c.Domain.String() + "\r\n")}
	r := dmarc.Check(c.ctx, c.auth, header, []dmarc.Identifier{{Method: "dkim", Domain: c.Domain.String(), Verdict: senderauth.Pass}}, dmarc.Options{})
	switch {
	case r.Verdict == senderauth.TempError:
		c.add(ForDMARC, Unknown, name, "there was no answer: %v", r.Err)
		return
	case r.Record == nil:
		f := c.add(ForDMARC, Missing, name, "nothing says what is to be done about forged mail; large providers refuse mail of such domains")
		c.publish(f, "TXT")
		return
	case r.Verdict != senderauth.Pass:
		c.add(ForDMARC, Wrong, name, "mail that we sign does not pass: %v", r.Err)
		return
	}
	c.strength(name, &r)
	c.reportsTo(name, &r)
}

func (c *checker) strength(name dns.Name, r *dmarc.Result) {
	at := ""
	if r.PolicyDomain != c.Domain.String() {
		at = " (said by " + r.PolicyDomain + ")"
	}
	switch {
	case r.Published == dmarc.None:
		f := c.add(ForDMARC, Advice, name, "our mail is aligned; nothing is done about forged mail (p=none)%s", at)
		f.fix("when the reports show no mail of yours that fails, write p=quarantine, and later p=reject")
	case r.Record.Testing || r.Record.Percent < 100:
		f := c.add(ForDMARC, Advice, name, "our mail is aligned; the policy %s holds for a part of forged mail only%s", r.Published, at)
		f.fix("take t=y and pct= out when the reports show no mail of yours that fails")
	default:
		c.add(ForDMARC, Good, name, "our mail is aligned; the policy for forged mail is %s%s", r.Published, at)
	}
}

// reportsTo: whoever gets reports about another domain must have said that he wants them (RFC
// 7489, 7.1; RFC 9990, 4).
func (c *checker) reportsTo(name dns.Name, r *dmarc.Result) {
	if len(r.Record.Aggregate) == 0 {
		f := c.add(ForDMARC, Advice, name, "nobody gets reports, so that you do not see who sends as %s", c.Domain)
		f.fix("add rua=mailto:%s to it", c.reports())
		return
	}
	for _, uri := range r.Record.Aggregate {
		_, host, ok := strings.Cut(uri, "@")
		host, _, _ = strings.Cut(host, "!") // a limit on size
		at, err := dns.ParseName(host)
		if !ok || err != nil || at.Within(c.Domain) || c.Domain.Within(at) {
			continue
		}
		wants := below(at, c.Domain.String()+"._report._dmarc")
		a, err := c.DNS.TXT(c.ctx, wants)
		if c.unanswered(ForDMARC, wants, err) || len(startingWith(a.Records, "v=DMARC1")) > 0 {
			continue
		}
		f := c.add(ForDMARC, Wrong, wants, "reports to %s are not sent, since it does not say that it wants them", uri)
		f.fix(`have it publish %s TXT "v=DMARC1"`, absolute(wants))
	}
}
