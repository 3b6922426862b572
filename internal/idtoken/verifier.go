package idtoken

import (
	"context"
	"crypto/rsa"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Options say which tokens are good.
type Options struct {
	Issuer   string   // as the claim iss has it
	Audience []string // of which the claim aud must have one
	Claim    string   // that names the account; "": "email"
	Keys     Keys
}

// Keys finds the keys of an issuer.
type Keys interface {
	// Keys returns those that are known; again asks whether there are others by now. An
	// error is trouble that may pass.
	Keys(ctx context.Context, again bool) (*jose.JSONWebKeySet, error)
}

// Verifier looks at tokens. It may be used by many goroutines.
type Verifier struct{ opts Options }

// New makes a verifier.
func New(o Options) *Verifier {
	if o.Claim == "" {
		o.Claim = "email"
	}
	return &Verifier{o}
}

// Refused is why a token is not good. It tells nothing of what is in it.
type Refused struct{ Why string }

func (r *Refused) Error() string { return r.Why }

// Refused returns why.
func (r *Refused) Refused() string { return r.Why }

// Bounds of a token.
const (
	maxToken = 16 << 10         // octets
	skew     = time.Minute      // that clocks may differ
	leastRSA = 2048             // bits
	longest  = 10 * time.Second // that one may take, keys and all
)

// Name returns the account that a token names. An error is a [*Refused], or trouble that
// may pass.
func (v *Verifier) Name(ctx context.Context, token string) (string, error) {
	if len(token) > maxToken {
		return "", &Refused{"the token is too long"}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil || len(parsed.Headers) != 1 {
		return "", &Refused{"the token is no JWT that is signed by RS256, ES256 or EdDSA"}
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var claims jwt.Claims
	var all map[string]any
	for _, again := range []bool{false, true} {
		keys, err := v.opts.Keys.Keys(ctx, again)
		if err != nil {
			return "", err
		}
		if signed(parsed, keys, &claims, &all) {
			return v.name(&claims, all)
		}
	}
	return "", &Refused{"the token is signed by no key of the issuer"}
}

// signed reports whether one of the keys signed a token, whose claims it reads.
func signed(token *jwt.JSONWebToken, keys *jose.JSONWebKeySet, claims ...any) bool {
	header := token.Headers[0]
	for i := range keys.Keys {
		k := &keys.Keys[i]
		if header.KeyID != "" && k.KeyID != header.KeyID || k.Algorithm != "" && k.Algorithm != header.Algorithm || !usable(k) {
			continue
		}
		if token.Claims(k.Key, claims...) == nil {
			return true
		}
	}
	return false
}

// usable reports whether a key may sign: a public one, strong enough.
func usable(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" || !k.IsPublic() || !k.Valid() {
		return false
	}
	r, is := k.Key.(*rsa.PublicKey)
	return !is || r.N.BitLen() >= leastRSA
}

// name looks at the claims of a token that is signed.
func (v *Verifier) name(c *jwt.Claims, all map[string]any) (string, error) {
	if c.Expiry == nil {
		return "", &Refused{"the token has no end of its time (exp)"}
	}
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: v.opts.Issuer, AnyAudience: v.opts.Audience, Time: time.Now()}, skew)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return "", &Refused{"the time of the token is over (exp)"}
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return "", &Refused{"the time of the token has not begun (nbf, iat)"}
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return "", &Refused{"the token is of another issuer (iss)"}
	case errors.Is(err, jwt.ErrInvalidAudience):
		return "", &Refused{"the token is for others (aud)"}
	case err != nil:
		return "", &Refused{"the claims of the token are not good"}
	}
	name, _ := all[v.opts.Claim].(string)
	if name == "" {
		return "", &Refused{"the token has no claim " + v.opts.Claim}
	}
	if verified, is := all["email_verified"].(bool); is && !verified && v.opts.Claim == "email" {
		return "", &Refused{"the issuer has not verified the address (email_verified)"}
	}
	return name, nil
}
