package sender

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/senderauth/dmarc"
	"github.com/posthouse/posthouse/senderauth/spf"
	"github.com/posthouse/posthouse/smtp"
)

// Data implements [policy.Session].
func (s *session) Data(ctx context.Context, v *policy.Visit, text *policy.Text) (o policy.Opinion) {
	if v.Trusted {
		return o
	}
	if s.received != "" {
		o.Edits.Top = []policy.Field{{Name: spf.ReceivedName, Value: s.received}}
	}
	if !s.o.DKIM && !s.o.ARC && s.o.DMARC == policy.Pass {
		return o
	}
	if s.o.SPF && s.spf.Verdict == "" { // another check was against the client, and we were not asked at MAIL
		o.Results = s.Mail(ctx, v).Results
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	signed, chain, err := s.read(ctx, text)
	if err != nil {
		return policy.Opinion{Action: policy.Defer, Reason: "the text cannot be read: " + err.Error()}
	}
	for i := range signed {
		o.Results = append(o.Results, dkimWords(&signed[i]))
	}
	if s.o.DKIM && len(signed) == 0 {
		o.Results = append(o.Results, senderauth.MethodResult{Method: "dkim", Verdict: senderauth.None})
	}
	if chain.Verdict != "" && chain.Verdict != senderauth.None {
		o.Results = append(o.Results, arcWords(&chain))
	}
	if s.o.DMARC != policy.Pass {
		s.author(ctx, v, text, signed, chain, &o)
	}
	return o
}

// read lets the body stream past those who want to see it.
func (s *session) read(ctx context.Context, text *policy.Text) (signed []dkim.Result, chain arc.Result, err error) {
	var to []io.Writer
	var signatures *dkim.Verifier
	var seals *arc.Verifier
	if s.o.DKIM && text.Header.Get("DKIM-Signature") != nil {
		signatures = dkim.NewVerifier(text.Header, dkim.VerifyOptions{})
		to = append(to, signatures)
	}
	if s.o.ARC && text.Header.Get("ARC-Seal") != nil {
		seals = arc.NewVerifier(text.Header)
		to = append(to, seals)
	}
	if len(to) > 0 {
		if err := stream(text, io.MultiWriter(to...)); err != nil {
			return nil, chain, err
		}
	}
	if signatures != nil {
		signed = signatures.Results(ctx, s.o.Resolver)
		doubt(signed, text.Header)
	}
	if seals != nil {
		chain = seals.Result(ctx, s.o.Resolver)
	}
	return signed, chain, nil
}

func stream(text *policy.Text, to io.Writer) error {
	body, err := text.Body()
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(to, body)
	return err
}

// author asks whether what was found speaks for the author, and does what his domain wants.
func (s *session) author(ctx context.Context, v *policy.Visit, text *policy.Text, signed []dkim.Result, chain arc.Result, o *policy.Opinion) {
	ids := []dmarc.Identifier{{Method: "spf", Domain: s.spf.Domain, Verdict: s.spf.Verdict}}
	for i := range signed {
		ids = append(ids, dmarc.Identifier{Method: "dkim", Domain: signed[i].Domain, Verdict: signed[i].Verdict})
	}
	r := dmarc.Check(ctx, s.o.Resolver, text.Header, ids, dmarc.Options{})
	o.Action, o.Origin = s.wanted(&r), s.o.DMARCOrigin
	o.Reason, o.Reply = reasonOf(&r), replyOf(&r, o.Action)
	if r.Verdict == senderauth.TempError {
		o.Origin = s.o.DNSFailureOrigin
	}
	vouched := s.vouched(&r, chain, o)
	o.Results = append(o.Results, dmarcWords(&r))
	if s.o.Found != nil {
		s.o.Found(ctx, &Finding{
			At: time.Now(), Client: v.Source.Client.Addr().Unmap(), From: v.From.Domain(),
			SPF: s.spf, DKIM: o.Results, DMARC: r, Applied: o.Action, Vouched: vouched,
		})
	}
}

// wanted is what is done about a result.
func (s *session) wanted(r *dmarc.Result) policy.Action {
	wants := policy.Pass
	switch {
	case r.Verdict == senderauth.TempError:
		if s.o.DMARC == policy.Mark {
			return policy.Mark
		}
		return s.o.DNSFailure
	case r.Verdict == senderauth.PermError: // people would see another author than we do (RFC 7489, 6.6.1)
		wants = policy.Reject
	case r.Verdict != senderauth.Fail:
		return policy.Pass
	case r.Disposition == dmarc.Reject:
		wants = policy.Reject
	case r.Disposition == dmarc.Quarantine:
		wants = policy.Quarantine
	default:
		wants = policy.Mark
	}
	return min(wants, s.o.DMARC)
}

// vouched lets a failure pass for which a trusted sealer vouches (RFC 8617, 7.2.1).
func (s *session) vouched(r *dmarc.Result, chain arc.Result, o *policy.Opinion) string {
	if r.Verdict != senderauth.Fail {
		return ""
	}
	by, ok := chain.Vouched(s.o.Trusted)
	if !ok {
		return ""
	}
	for _, m := range by.Results.Methods {
		if m.Method == "dmarc" && m.Verdict == senderauth.Pass {
			o.Action, o.Reply = policy.Mark, nil
			o.Reason += ", but " + by.Domain + " has seen it pass, and is trusted"
			return by.Domain
		}
	}
	return ""
}

// reasonOf tells the operator why.
func reasonOf(r *dmarc.Result) string {
	switch r.Verdict {
	case senderauth.Pass:
		return fmt.Sprintf("%s: %s of %s speaks for it", r.Domain, strings.ToUpper(r.Aligned.Method), r.Aligned.Domain)
	case senderauth.None:
		return r.Domain + " has no policy"
	case senderauth.Fail:
		why := fmt.Sprintf("nobody who was authenticated speaks for %s, and %s wants %q", r.Domain, r.PolicyDomain, r.Published)
		if r.Disposition != r.Published {
			why += fmt.Sprintf(", weakened to %q", r.Disposition)
		}
		return why
	}
	if r.Err != nil {
		return r.Err.Error()
	}
	return string(r.Verdict)
}

// replyOf is what the client is told of a refusal (RFC 7372, 3).
func replyOf(r *dmarc.Result, a policy.Action) *smtp.Reply {
	switch {
	case a == policy.Defer:
		return smtp.Replyf(smtp.CodeLocalError, smtp.EnhancedCode{4, 4, 3}, "The policy of the author's domain cannot be found out now, try again later")
	case a == policy.Reject && r.Verdict == senderauth.PermError:
		return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 1}, "The message must have one From field that names its author")
	case a == policy.Reject:
		return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 7, 26},
			"Neither SPF nor DKIM speaks for %s, which wants such mail refused (DMARC)", r.Domain)
	}
	return nil
}
