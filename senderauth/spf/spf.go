// Package spf tells whether a client may send mail in the name of a domain:
// the Sender Policy Framework (RFC 7208), all of it, with its limits.
//
// [Check] asks the DNS and answers. What to do about the answer is the
// caller's: RFC 7208, 8 discusses it, and DMARC says it better. A message that
// was forwarded fails SPF through no fault of its own, so SPF alone should not
// refuse mail.
//
// One Check evaluates at most 10 terms that ask the DNS, and each of these asks
// at most 11 questions; an explanation is one more. Memory and time are linear
// in the records.
package spf

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/senderauth"
)

// Query is what a server knows when it has heard MAIL FROM.
type Query struct {
	// IP is the address of the client. An IPv4 address in IPv6 form counts as
	// IPv4.
	IP netip.Addr
	// Helo is the argument of HELO or EHLO, as the client said it.
	Helo string
	// MailFrom is the reverse-path without its angle brackets. If it is empty,
	// the identity that is checked is postmaster at Helo (RFC 7208, 2.4). To
	// check the HELO identity by itself (2.3), leave it empty, too.
	MailFrom string
}

// Options change how a check is done. The zero value is what RFC 7208 says.
type Options struct {
	// Receiver is the name of this host, for explanations. Default "unknown".
	Receiver string
	// Lookups bounds the terms that ask the DNS. Default 10 (RFC 7208, 4.6.4).
	// An explanation does not count.
	Lookups int
	// Voids bounds those among them that find no record. Default 2; less
	// than 0 allows none.
	Voids int
	// Timeout bounds the whole check, besides the context. Default 20 s.
	Timeout time.Duration
	// NoExplanation saves a lookup: nobody will read why.
	NoExplanation bool
}

// Result is the answer.
type Result struct {
	// Verdict is None, Neutral, Pass, Fail, SoftFail, TempError or PermError
	// (RFC 7208, 2.6).
	Verdict senderauth.Verdict
	// Domain is the one that was asked about: of the sender, or else of HELO,
	// in lower case without a final dot. It is as the client said it, and not
	// always a domain, if the Verdict is None.
	Domain string
	// FromHelo says that Domain comes from HELO, for want of a sender.
	FromHelo bool
	// Mechanism is the one that decided, as published ("-all",
	// "include:_spf.example.net"); "default" if none matched; empty if there
	// was no policy or an error. It comes from the first record, also if what
	// matched is in one that it includes.
	Mechanism string
	// Explanation is what the domain wants the client of a Fail to hear, in
	// printable ASCII of at most 512 octets, or empty. These are the words of
	// a stranger: say whose they are.
	Explanation string
	// Lookups and Voids tell how much of the limits was used.
	Lookups, Voids int
	// Err tells what is wrong after TempError and PermError, and why there is
	// nothing to check after None; in plain words, for the operator.
	Err error
}

// Check evaluates the policy of the sender's domain (check_host of RFC 7208, 4).
// It always returns a Verdict; if ctx ends, TempError.
func Check(ctx context.Context, r senderauth.Resolver, q Query, o Options) Result {
	ctx, cancel := context.WithTimeout(ctx, withDefault(o.Timeout, 20*time.Second))
	defer cancel()
	o.Lookups = withDefault(o.Lookups, 10)
	o.Voids = withDefault(o.Voids, 2)
	c := &check{ctx: ctx, resolver: r, ip: q.IP.Unmap().WithZone(""), helo: q.Helo, options: o}
	return c.run(q)
}

func withDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func (c *check) run(q Query) Result {
	c.local, c.sender = splitSender(q)
	res := Result{Domain: strings.ToLower(strings.TrimSuffix(c.sender, ".")), FromHelo: q.MailFrom == ""}
	if !isMailDomain(c.sender) || !c.ip.IsValid() {
		res.Verdict, res.Err = senderauth.None, errNoDomain
		return res
	}
	out := c.host(res.Domain)
	res.Verdict, res.Mechanism, res.Err = out.verdict, out.by, out.err
	if out.verdict == senderauth.Fail && out.exp != nil && !c.options.NoExplanation {
		res.Explanation = c.explain(out)
	}
	res.Lookups, res.Voids = c.lookups, max(c.voids, 0)
	return res
}

// splitSender returns local part and domain of the identity (RFC 7208, 4.3).
func splitSender(q Query) (local, domain string) {
	local, domain = "postmaster", q.Helo
	if q.MailFrom != "" {
		at := strings.LastIndexByte(q.MailFrom, '@')
		domain = q.MailFrom[at+1:]
		if at > 0 {
			local = q.MailFrom[:at]
		}
	}
	return local, domain
}

// isMailDomain reports whether s is a domain of at least two labels whose
// policy can be asked for (RFC 7208, 4.3).
func isMailDomain(s string) bool {
	return isDomain(s) && strings.Contains(strings.TrimSuffix(s, "."), ".") && !strings.HasPrefix(s, "[")
}

// isDomain reports whether the DNS could be asked for s: its labels have 1 to
// 63 octets, and all together at most 253.
func isDomain(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}
