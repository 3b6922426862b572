package domainsetup

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
	"github.com/posthouse/posthouse/senderauth/dmarc"
)

// Setup is what is known of a domain on this side.
type Setup struct {
	Domain dns.Name
	Host   dns.Name       // our own name
	Addrs  []netip.Addr   // by which others reach us; none: that is not known
	Keys   []dkimkeys.Key // of all stages

	// Certificates are the digests of those that we show for Host at port 25 (3 1 1).
	Certificates []dns.TLSA

	Submission  int      // port for people's programs with STARTTLS; 0: none
	Submissions int      // port with TLS from the beginning; 0: none
	IMAP, POP3  dns.Name // hosts where people read their mail, with TLS; the root: none
	Web         bool     // we serve the pages of the domain

	STS     mtasts.Mode  // with Web; "" or none: there is no policy
	DMARC   dmarc.Policy // "": none
	Reports string       // mailbox for reports of others; "": the postmaster of the domain
}

// Record is a record that the DNS has to have.
type Record struct {
	For   string // what it is for: "SPF"
	Name  dns.Name
	Type  string
	Value string // as in a zone file; of type TXT, the text itself
	Note  string // what it says, in plain words
}

// Kinds of records, in the order in which they are told.
const (
	ForMX         = "MX"
	ForAddress    = "address"
	ForReverse    = "reverse" // in the zone of whoever gave the address
	ForSPF        = "SPF"
	ForDKIM       = "DKIM"
	ForDMARC      = "DMARC"
	ForTLSReports = "TLS-RPT"
	ForSTS        = "MTA-STS"
	ForDANE       = "DANE"
	ForPrograms   = "programs"
)

// Records returns what the DNS has to say at this instant.
func (s *Setup) Records(now time.Time) []Record {
	l := list{setup: s}
	l.exchanger()
	l.senders()
	l.keys(now)
	l.policies()
	l.security()
	l.programs()
	return l.records
}

// list is records in the making.
type list struct {
	setup   *Setup
	records []Record
}

func (l *list) add(kind string, name dns.Name, typ, value, note string, args ...any) {
	l.records = append(l.records, Record{kind, name, typ, value, fmt.Sprintf(note, args...)})
}

// below adds a record under labels; where the name would be too long there is none.
func (l *list) below(kind, labels string, of dns.Name, typ, value, note string, args ...any) {
	if name, err := of.Below(labels); err == nil {
		l.add(kind, name, typ, value, note, args...)
	}
}

func (l *list) exchanger() {
	s := l.setup
	l.add(ForMX, s.Domain, "MX", "10 "+absolute(s.Host), "mail for %s comes to %s", s.Domain, s.Host)
	for _, a := range s.Addrs {
		typ := "A"
		if a.Is6() {
			typ = "AAAA"
		}
		l.add(ForAddress, s.Host, typ, a.String(), "where %s is", s.Host)
	}
	for _, a := range s.Addrs {
		l.add(ForReverse, dns.Reverse(a), "PTR", absolute(s.Host), "whoever gave you %s sets this; many refuse mail without it", a)
	}
}

// senders: the domain's senders, and the host's, whose reports have no sender but a
// HELO (RFC 7208, 2.3).
func (l *list) senders() {
	s := l.setup
	l.add(ForSPF, s.Domain, "TXT", "v=spf1 mx ~all", "mail from %s leaves from its exchangers", s.Domain)
	if s.Host != s.Domain {
		l.add(ForSPF, s.Host, "TXT", "v=spf1 a -all", "reports of %s come from it alone", s.Host)
	}
}

func (l *list) keys(now time.Time) {
	for i := range l.setup.Keys {
		k := &l.setup.Keys[i]
		stage := k.Stage(now)
		if stage == dkimkeys.Over {
			continue
		}
		l.below(ForDKIM, k.Selector+"._domainkey", l.setup.Domain, "TXT", k.Record(), "%s, by %s", stageWords(stage), k.Algorithm())
	}
}

func stageWords(s dkimkeys.Stage) string {
	switch s {
	case dkimkeys.Waiting:
		return "the key that is to sign next"
	case dkimkeys.Kept:
		return "the key that signed before"
	}
	return "the key that signs"
}

// reports is the mailbox to which reports go.
func (s *Setup) reports() string {
	if s.Reports != "" {
		return s.Reports
	}
	return "postmaster@" + s.Domain.String()
}

func (l *list) policies() {
	s := l.setup
	policy := s.DMARC
	if policy == "" {
		policy = dmarc.None
	}
	words := map[dmarc.Policy]string{
		dmarc.None:       "nothing is done about forged mail, and you hear of it: begin with this",
		dmarc.Quarantine: "forged mail goes to Junk",
		dmarc.Reject:     "forged mail is refused",
	}[policy]
	l.below(ForDMARC, "_dmarc", s.Domain, "TXT", "v=DMARC1; p="+string(policy)+"; rua=mailto:"+s.reports(), "%s", words)
	l.below(ForTLSReports, "_smtp._tls", s.Domain, "TXT", "v=TLSRPTv1; rua=mailto:"+s.reports(), "others tell how TLS to us turns out")
}

func (l *list) security() {
	s := l.setup
	if p := s.Policy(); p != nil {
		l.below(ForSTS, "_mta-sts", s.Domain, "TXT", "v=STSv1; id="+PolicyID(p), "the policy that stands is in mode %s", p.Mode)
		l.below(ForSTS, "mta-sts", s.Domain, "CNAME", absolute(s.Host), "whose web server has the policy")
	}
	for _, c := range s.Certificates {
		l.below(ForDANE, "_25._tcp", s.Host, "TLSA", fmt.Sprintf("%d %d %d %x", c.Usage, c.Selector, c.Matching, c.Data),
			"the key of the certificate of %s; only if the zone is signed by DNSSEC", s.Host)
	}
}

// programs is how people's programs find us: by records of services, and by names that
// have a web server.
func (l *list) programs() {
	s := l.setup
	service := func(labels string, port int, host dns.Name, note string) {
		l.below(ForPrograms, labels, s.Domain, "SRV", fmt.Sprintf("0 1 %d %s", port, absolute(host)), "%s", note)
	}
	if s.Submissions != 0 {
		service("_submissions._tcp", s.Submissions, s.Host, "people send here, with TLS from the beginning")
	}
	if s.Submission != 0 {
		service("_submission._tcp", s.Submission, s.Host, "people send here, with STARTTLS")
	}
	if !s.IMAP.IsRoot() {
		service("_imaps._tcp", 993, s.IMAP, "people read their mail here")
	}
	if !s.POP3.IsRoot() {
		service("_pop3s._tcp", 995, s.POP3, "people fetch their mail here")
	}
	if s.Web && (!s.IMAP.IsRoot() || !s.POP3.IsRoot()) {
		l.below(ForPrograms, "autoconfig", s.Domain, "CNAME", absolute(s.Host), "Thunderbird and others ask here for the settings")
		l.below(ForPrograms, "autodiscover", s.Domain, "CNAME", absolute(s.Host), "Outlook asks here for the settings")
	}
}

// Policy is the MTA-STS policy of the domain, nil if it has none.
func (s *Setup) Policy() *mtasts.Policy {
	if !s.Web || s.STS == "" || s.STS == mtasts.None {
		return nil
	}
	return NewPolicy(s.STS, s.Host)
}

// NewPolicy makes a policy that has mail come to one host. While it is tried out it is
// kept for a day, so that a mistake is soon forgotten; then for four weeks.
func NewPolicy(mode mtasts.Mode, host dns.Name) *mtasts.Policy {
	p := &mtasts.Policy{Mode: mode, MaxAge: 28 * 24 * time.Hour, MX: []string{host.String()}}
	if mode == mtasts.Testing {
		p.MaxAge = 24 * time.Hour
	}
	return p
}

// PolicyID is the id under which a policy is announced (RFC 8461, 3.1). It is another one
// whenever the policy is.
func PolicyID(p *mtasts.Policy) string {
	sum := sha256.Sum256([]byte(p.String()))
	return fmt.Sprintf("%x", sum[:10])
}

func absolute(n dns.Name) string { return strings.TrimSuffix(n.String(), ".") + "." }
