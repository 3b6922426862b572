package smtpclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/smtp"
)

// Auth is who we are and how we prove it (RFC 4954).
type Auth struct {
	// Mechanism is the name of a SASL mechanism: SCRAM-SHA-256-PLUS,
	// SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, OAUTHBEARER, XOAUTH2,
	// CRAM-MD5, PLAIN, LOGIN or EXTERNAL. "" is the first of these that the
	// server offers and that the fields below allow; EXTERNAL only if there is
	// neither password nor token.
	Mechanism string

	Username string
	Password string
	Token    string // an OAuth 2 access token
	Identity string // the user to act for (RFC 4616, 2); "": Username itself

	// AllowPlaintext lets a secret that the wire would show (PLAIN, LOGIN,
	// OAUTHBEARER, XOAUTH2) go over a connection without TLS, or with TLS whose
	// certificate is no good.
	AllowPlaintext bool
}

// What [errors.Is] finds in an [*AuthError], by the code of its reply (RFC 4954, 6).
var (
	ErrBadCredentials     = errors.New("credentials are invalid")            // 535
	ErrMechanismTooWeak   = errors.New("mechanism is too weak for the user") // 534
	ErrTemporaryFailure   = errors.New("authentication failed for now")      // 454
	ErrPasswordTransition = errors.New("a password transition is needed")    // 432
	ErrEncryptionRequired = errors.New("the mechanism needs encryption")     // 538
)

var authErrors = map[smtp.Code]error{
	smtp.CodeBadCredentials:       ErrBadCredentials,
	smtp.CodeMechanismTooWeak:     ErrMechanismTooWeak,
	smtp.CodeTemporaryAuthFailure: ErrTemporaryFailure,
	smtp.CodePasswordTransition:   ErrPasswordTransition,
	smtp.CodeEncryptionRequired:   ErrEncryptionRequired,
}

// Errors of AUTH that come from this side.
var (
	// ErrPlaintext says that every mechanism that fits would show the secret on
	// the wire. Nothing was sent.
	ErrPlaintext = errors.New("no secret is sent without verified TLS")
	// ErrNoMechanism says that the server offers no mechanism that can be used.
	ErrNoMechanism = errors.New("no mechanism in common")
	// ErrServerProof says that the server did not prove that it knows the
	// password too (SCRAM).
	ErrServerProof = errors.New("the server did not prove who it is")
)

// AuthError is the server's refusal of AUTH.
type AuthError struct {
	Mechanism string
	Reply     *smtp.Reply
}

func (e *AuthError) Error() string { return e.Mechanism + ": " + e.Reply.Error() }

// Is reports whether target is the error for the reply's code.
func (e *AuthError) Is(target error) bool { return authErrors[e.Reply.Code] == target }

// Unwrap returns the reply, as an error.
func (e *AuthError) Unwrap() error { return refusal(smtp.VerbAUTH, e.Reply) }

// login says AUTH, if the Dialer has it.
func (c *Conn) login() error {
	if c.d.Auth == nil {
		return nil
	}
	err := c.auth(c.d.Auth)
	if err == nil || c.dead != nil {
		return err
	}
	return &ConnectionError{smtp.VerbAUTH, err}
}

// Auth proves who we are, on a connection whose Dialer did not. The error may
// be an [*AuthError], and then the connection can still be used.
func (c *Conn) Auth(ctx context.Context, a *Auth) error {
	defer c.under(ctx)()
	return c.auth(a)
}

func (c *Conn) auth(a *Auth) error {
	m, err := c.choose(a)
	if err != nil {
		return err
	}
	client, err := m.start(c, a)
	if err != nil {
		return err
	}
	c.proofs = []string{a.Password, a.Token}
	defer func() { c.proofs = nil }()
	return c.exchange(client)
}

// choose finds the mechanism.
func (c *Conn) choose(a *Auth) (*mechanism, error) {
	if !c.ext.Has(smtp.ExtAuth) {
		return nil, ErrNotOffered
	}
	shown := false // a mechanism fits, but it would show the secret
	for i := range mechanisms {
		m := &mechanisms[i]
		switch {
		case a.Mechanism != "" && a.Mechanism != m.name,
			a.Mechanism == "" && !m.fits(a),
			!slices.Contains(c.ext.Mechanisms, m.name),
			m.bound && !c.secure:
		case m.plain && !c.verified() && !a.AllowPlaintext:
			shown = true
		default:
			return m, nil
		}
	}
	if shown {
		return nil, ErrPlaintext
	}
	return nil, fmt.Errorf("%w: the server offers %q", ErrNoMechanism, c.ext.Mechanisms)
}

// forgetSecret takes what was said last in an exchange, and what was to be proven, out
// of the reply to it: some servers repeat what they do not like, and replies are logged.
func (c *Conn) forgetSecret(r *smtp.Reply) {
	if c.secret == "" || r.Code == smtp.CodeChallenge {
		return
	}
	for _, s := range append([]string{c.secret}, c.proofs...) {
		if s != "" {
			r.Text = strings.ReplaceAll(r.Text, s, "***")
		}
	}
}

// maxSteps bounds the challenges of one exchange.
const maxSteps = 8

// exchange runs a mechanism to its end.
func (c *Conn) exchange(client sasl.Client) error {
	name, initial, err := client.Start()
	if err != nil {
		return err
	}
	defer func() { c.secret = "" }()
	c.secret = base64.StdEncoding.EncodeToString(initial)
	r, err := c.ask(smtp.Auth{Mechanism: name, Initial: initial, HasInitial: initial != nil})
	for range maxSteps {
		if err != nil || r.Code != smtp.CodeChallenge {
			break
		}
		r, err = c.respond(client, r)
	}
	switch {
	case err != nil:
		return err
	case r.Code == smtp.CodeChallenge:
		return c.fail(smtp.VerbAUTH, errors.New("the server asks without end"))
	case !r.Code.Positive():
		return &AuthError{name, r}
	}
	if p, ok := client.(prover); ok && !p.proven() {
		return c.fail(smtp.VerbAUTH, ErrServerProof)
	}
	return nil
}
