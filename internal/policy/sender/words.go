package sender

import (
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/senderauth/dmarc"
)

// dkimWords are a result in the words of Authentication-Results (RFC 8601, 2.7.1).
func dkimWords(r *dkim.Result) senderauth.MethodResult {
	m := senderauth.MethodResult{Method: "dkim", Verdict: r.Verdict}
	m.Reason = reason(r.Verdict, r.Err)
	for _, p := range [...]senderauth.Property{
		{Type: "header", Name: "d", Value: r.Domain},
		{Type: "header", Name: "s", Value: r.Selector},
		{Type: "header", Name: "a", Value: string(r.Algorithm)},
		{Type: "header", Name: "b", Value: r.Tag},
	} {
		if p.Value != "" {
			m.Properties = append(m.Properties, p)
		}
	}
	return m
}

// dmarcWords are a result in the words of RFC 9989, 6.
func dmarcWords(r *dmarc.Result) senderauth.MethodResult {
	m := senderauth.MethodResult{Method: "dmarc", Verdict: r.Verdict}
	if r.Domain != "" {
		m.Properties = []senderauth.Property{{Type: "header", Name: "from", Value: r.Domain}}
	}
	if r.Record != nil {
		m.Properties = append(m.Properties, senderauth.Property{Type: "policy", Name: "published", Value: string(r.Published)})
	}
	m.Reason = reason(r.Verdict, r.Err)
	return m
}

// arcWords are a result in the words of RFC 8617, 10.2: the last sealer.
func arcWords(r *arc.Result) senderauth.MethodResult {
	m := senderauth.MethodResult{Method: "arc", Verdict: r.Verdict}
	m.Reason = reason(r.Verdict, r.Err)
	if n := len(r.Sets); n > 0 {
		m.Properties = []senderauth.Property{{Type: "header", Name: "d", Value: r.Sets[n-1].Domain}}
	}
	return m
}

// reason is why something is as it is, for all who read the message: not whom we ask.
func reason(v senderauth.Verdict, err error) string {
	switch {
	case v == senderauth.TempError:
		return silent
	case err != nil:
		return err.Error()
	}
	return ""
}

const silent = "the DNS does not answer"
