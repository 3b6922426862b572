package mtasts

import (
	"context"
	"fmt"
	"mime"
	"net/http"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/tlspolicy"
)

// Fetch returns the policy of a domain (RFC 8461, 3.3). The error is a
// [*tlspolicy.FailureError] and prints as one line.
func Fetch(ctx context.Context, web *publicweb.Client, domain dns.Name) (Policy, error) {
	host, err := domain.Below("mta-sts")
	if err != nil {
		return Policy{}, failed(tlspolicy.STSPolicyFetch, err)
	}
	text, err := get(ctx, web, host)
	if err != nil {
		kind := tlspolicy.STSPolicyFetch
		if tlspolicy.IsVerification(err) {
			kind = tlspolicy.STSWebPKIInvalid
		}
		return Policy{}, failed(kind, fmt.Errorf("policy from %s: %w", host, err))
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return Policy{}, failed(tlspolicy.STSPolicyInvalid, fmt.Errorf("policy from %s: %w", host, err))
	}
	return p, nil
}

func failed(kind tlspolicy.Failure, err error) error {
	return &tlspolicy.FailureError{Failure: kind, Err: err}
}

func get(ctx context.Context, web *publicweb.Client, host dns.Name) (text string, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host.String()+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", err
	}
	err = web.Do(ctx, q, func(r *http.Response) error {
		text, err = read(r)
		return err
	})
	return text, err
}

func read(r *http.Response) (string, error) {
	if err := publicweb.Status(r); err != nil {
		return "", err
	}
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server answers %d", r.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return "", fmt.Errorf("it is of type %q, not text/plain", clip(r.Header.Get("Content-Type")))
	}
	return publicweb.Text(r, maxPolicy)
}
