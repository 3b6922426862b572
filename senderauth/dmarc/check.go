package dmarc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
)

// Identifier is a domain that SPF or DKIM speaks of.
type Identifier struct {
	Method  string // "spf" or "dkim"
	Domain  string
	Verdict senderauth.Verdict // only Pass and TempError count
}

// Options change how a check is done. The zero value is RFC 9989.
type Options struct {
	// PublicSuffixList finds organizational domains with the list that
	// golang.org/x/net/publicsuffix holds, as RFC 7489 did, instead of the walk.
	PublicSuffixList bool
	// Sample, if it is set, makes pct= count (RFC 7489, 6.6.4; RFC 9989 has
	// dropped it): it returns a number from 0 to n-1, and where that is not
	// below the percentage, the policy is the next weaker one.
	Sample func(n int) int
}

// Result is the answer for a message.
type Result struct {
	// Verdict is:
	//   - Pass: an identifier that passed is aligned with the author's domain;
	//   - Fail: none is, and the domain has a policy;
	//   - None: the domain has no policy;
	//   - TempError: the DNS did not answer, here or for an identifier that
	//     could have been aligned;
	//   - PermError: From does not name one author's domain or more; see Err.
	Verdict senderauth.Verdict
	// Domain is the author's. If there are several, it is the one that fares
	// worst.
	Domain string
	// Organization is its organizational domain.
	Organization string
	// PolicyDomain is where the policy was found: Domain, Organization, or
	// a public suffix above it.
	PolicyDomain string
	// Record is what was found there, or nil.
	Record *Record
	// Published is what the record asks for mail that fails: p=, sp= or np=.
	Published Policy
	// Disposition is what to do with this message: Published after a Fail,
	// weakened by t= and pct=; None after everything else.
	Disposition Policy
	// Aligned is the identifier that made it pass, or the zero value.
	Aligned Identifier
	// Err tells why it is TempError or PermError.
	Err error
}

// What may be wrong with From.
var (
	ErrNoAuthor    = errors.New("there is no From field with a domain")
	ErrTwoFrom     = errors.New("there is more than one From field")
	ErrBadFrom     = errors.New("the From field makes no sense")
	ErrManyAuthors = fmt.Errorf("the From field names more than %d domains", maxAuthors)
)

const maxAuthors = 8

// AuthorDomains returns the distinct domains in the From field, in lower case and
// in ASCII. The error is one of the above.
func AuthorDomains(h message.Header) ([]string, error) {
	var from message.RawField
	for _, f := range h {
		if strings.EqualFold(f.Name(), "From") {
			if from != nil {
				return nil, ErrTwoFrom
			}
			from = f
		}
	}
	if from == nil {
		return nil, ErrNoAuthor
	}
	list, err := message.ParseAddressList(from.Value())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadFrom, err)
	}
	return domains(list.Addresses())
}

func domains(authors []message.Address) (all []string, err error) {
	for _, a := range authors {
		domain, err := senderauth.ParseDomain(a.Addr[strings.LastIndexByte(a.Addr, '@')+1:])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadFrom, err)
		}
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
		if len(all) > maxAuthors {
			return nil, ErrManyAuthors
		}
	}
	if len(all) == 0 {
		return nil, ErrNoAuthor
	}
	return all, nil
}

// Check holds a message's authors against what was authenticated. It always
// returns a Verdict and a Disposition.
func Check(ctx context.Context, r senderauth.Resolver, h message.Header, ids []Identifier, o Options) Result {
	authors, err := AuthorDomains(h)
	if err != nil {
		return Result{Verdict: senderauth.PermError, Disposition: None, Err: err}
	}
	c := &check{
		tree:    &tree{ctx: ctx, resolver: r, suffixes: o.PublicSuffixList, known: map[string]answer{}},
		ids:     ids,
		options: o,
	}
	worst := c.domain(authors[0])
	for _, author := range authors[1:] {
		if res := c.domain(author); res.isWorseThan(worst) {
			worst = res
		}
	}
	return worst
}

// isWorseThan puts the stricter disposition first, then what proves less.
func (r Result) isWorseThan(other Result) bool {
	if a, b := r.Disposition.severity(), other.Disposition.severity(); a != b {
		return a > b
	}
	order := []senderauth.Verdict{senderauth.Pass, senderauth.None, senderauth.TempError, senderauth.Fail}
	return slices.Index(order, r.Verdict) > slices.Index(order, other.Verdict)
}

type check struct {
	*tree
	ids     []Identifier
	options Options
}

// domain is the check for one author's domain (RFC 9989, 5.3).
func (c *check) domain(author string) Result {
	res := Result{Verdict: senderauth.None, Domain: author, Disposition: None}
	if err := c.discover(&res); err != nil {
		res.Verdict, res.Err = senderauth.TempError, err
		return res
	}
	if res.Record == nil {
		return res
	}
	res.Aligned, res.Verdict, res.Err = c.align(res)
	if res.Verdict == senderauth.Fail {
		res.Disposition = c.weaken(res.Published, res.Record)
	}
	return res
}

// discover finds the policy (RFC 9989, 4.10.1).
func (c *check) discover(res *Result) error {
	at, err := c.place(res.Domain)
	if err != nil {
		return err
	}
	res.Organization = at.organization
	for _, domain := range []string{res.Domain, at.organization, at.suffix} {
		if domain == "" {
			continue
		}
		rec, err := c.record(domain)
		if err != nil {
			return err
		}
		if rec != nil && rec.Policy == "" {
			return nil
		}
		if rec != nil {
			res.PolicyDomain, res.Record = domain, rec
			res.Published, err = c.published(res.Domain, domain, rec)
			return err
		}
	}
	return nil
}

// published chooses among p=, sp= and np=.
func (c *check) published(author, at string, rec *Record) (Policy, error) {
	if author == at {
		return rec.Policy, nil
	}
	if rec.Nonexistent == rec.Subdomains {
		return rec.Subdomains, nil
	}
	there, err := c.exists(author)
	if err != nil {
		return None, err
	}
	if there {
		return rec.Subdomains, nil
	}
	return rec.Nonexistent, nil
}

// align looks for an identifier that is aligned with the author's domain
// (RFC 9989, 4.4).
func (c *check) align(res Result) (Identifier, senderauth.Verdict, error) {
	verdict, reason := senderauth.Fail, error(nil)
	for _, id := range c.ids {
		if id.Verdict != senderauth.Pass && id.Verdict != senderauth.TempError {
			continue
		}
		aligned, err := c.isAligned(id, res)
		switch {
		case err != nil:
			verdict, reason = senderauth.TempError, err
		case aligned && id.Verdict == senderauth.Pass:
			return id, senderauth.Pass, nil
		case aligned:
			verdict, reason = senderauth.TempError, fmt.Errorf("%s of %s was not to be had", id.Method, id.Domain)
		}
	}
	return Identifier{}, verdict, reason
}

func (c *check) isAligned(id Identifier, res Result) (bool, error) {
	domain, err := senderauth.ParseDomain(id.Domain)
	if err != nil {
		return false, nil
	}
	strict := res.Record.StrictDKIM
	if id.Method == "spf" {
		strict = res.Record.StrictSPF
	}
	if domain == res.Domain || strict || !isWithin(domain, res.Organization) {
		return domain == res.Domain, nil
	}
	at, err := c.place(domain)
	return at.organization == res.Organization, err
}

// isWithin reports whether name is domain or below it. What is not below an
// organizational domain cannot belong to it: no need to ask.
func isWithin(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// weaken applies t= (RFC 9989, 4.7) and pct=.
func (c *check) weaken(p Policy, rec *Record) Policy {
	sampled := c.options.Sample == nil || rec.Percent == 100 || c.options.Sample(100) < rec.Percent
	if rec.Testing || !sampled {
		return p.weaker()
	}
	return p
}
