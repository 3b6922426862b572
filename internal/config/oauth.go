package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Providers of OAuth 2 whose addresses are known here.
const (
	Microsoft = "microsoft"
	Google    = "google"
)

// Flows by which tokens are got.
const (
	FlowDevice  = "device"  // RFC 8628
	FlowBrowser = "browser" // RFC 8252
	FlowClient  = "client"  // RFC 6749, 4.4
)

// OAuth is how we get tokens for a smarthost that wants OAuth 2 rather than a password.
// Of a checked configuration all that the flow needs is set.
type OAuth struct {
	Origin mail.Origin // zero: there is no such block

	Provider Setting[string] // "microsoft" or "google", which give the addresses and scopes; "": they are written
	Tenant   Setting[string] // microsoft: the organization
	Flow     Setting[string] // one of the flows
	ClientID Setting[string]
	// ClientSecret is the first line of this; a public client has none.
	ClientSecret Secret
	ClientAuth   Setting[string] // "form" or "header": where the client says who it is
	TokenURL     Setting[string]
	DeviceURL    Setting[string] // device
	AuthURL      Setting[string] // browser
	RedirectURL  Setting[string] // browser
	Scopes       Setting[[]string]
}

// Given reports whether there is such a block.
func (o *OAuth) Given() bool { return o.Origin.File != "" }

func (o *OAuth) block(route string) block {
	s := func() schema {
		return schema{title: "oauth of route " + literal(route), fields: slices.Concat([]field{
			one("provider", &o.Provider, choice(Microsoft, Google)),
			one("tenant", &o.Tenant, tenant()),
			one("flow", &o.Flow, choice(FlowDevice, FlowBrowser, FlowClient)),
			one("client_id", &o.ClientID, text()),
		}, o.ClientSecret.fields("client_secret", "client_secret_file"), []field{
			one("client_auth", &o.ClientAuth, choice("form", "header")),
			one("token_url", &o.TokenURL, address()),
			one("device_url", &o.DeviceURL, address()),
			one("auth_url", &o.AuthURL, address()),
			one("redirect_url", &o.RedirectURL, address()),
			list("scopes", &o.Scopes, text()),
		})}
	}
	return block{
		word: "oauth", once: true,
		open: func(_ *decoder, _ string, at mail.Origin) (schema, bool) {
			o.Origin = at
			return s(), true
		},
		all: func() []schema {
			if !o.Given() {
				return nil
			}
			return []schema{s()}
		},
	}
}

// tenant is a word that can stand in an address.
func tenant() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if url.PathEscape(s) != s || strings.Trim(s, ".") == "" {
			return "", fmt.Errorf("%q is no domain or ID of an organization", clip(s))
		}
		return s, nil
	}, itself)
}

// address is one of the web, to which secrets may be sent.
func address() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
			return "", fmt.Errorf(`%q is no address such as "https://login.example.org/token"`, clip(s))
		case u.Scheme == "https":
			return s, nil
		case u.Scheme == "http" && isLoopback(withPort(u.Host)):
			return s, nil
		}
		return "", errors.New("secrets go there, so it must begin with https://")
	}, itself)
}

func withPort(host string) string {
	if _, _, ok := strings.Cut(host, ":"); ok {
		return host
	}
	return host + ":80"
}

// checkOAuth finds what the flow of a route's tokens lacks, once the addresses of known
// providers are filled in.
func (d *decoder) checkOAuth(r *Route) {
	o := &r.OAuth
	if !o.Given() {
		return
	}
	o.Flow, o.ClientAuth = o.Flow.or(FlowDevice), o.ClientAuth.or("form")
	o.RedirectURL = o.RedirectURL.or("http://127.0.0.1:8025/")
	o.known()
	d.checkSecret("client_secret", &o.ClientSecret)
	switch {
	case r.Transport != Smarthost:
		d.add(o.Origin, "it is for smarthost", "oauth means nothing to a route by %s", r.Transport)
	case !r.User.Given():
		d.add(o.Origin, `write user = "jane@example.org"`, "it says nowhere whose mailbox the token is for")
	case r.Password.Given():
		d.add(r.Password.Origin(), "", "the login is by a token, as line %d says, and not by a password", o.Origin.Line)
	case o.Provider.Value == Google && o.Flow.Value == FlowDevice:
		d.add(o.Origin, `write flow = "browser"`, "Google lets nobody send mail who has logged in by a code")
	case o.Provider.Value == Microsoft && o.Flow.Value == FlowClient && !o.Tenant.Given():
		d.add(o.Origin, `write tenant = "example.onmicrosoft.com"`, "a program logs in at one organization")
	}
	for _, n := range o.needed() {
		if !n.set {
			d.add(o.Origin, fmt.Sprintf("write %s = ...", n.word), "%s is missing, which the flow %q needs", n.word, o.Flow.Value)
		}
	}
}

// needed are the settings that a flow cannot do without.
func (o *OAuth) needed() []named {
	all := []named{{word: "client_id", set: o.ClientID.Given()}, {word: "token_url", set: o.TokenURL.Value != ""}}
	switch o.Flow.Value {
	case FlowDevice:
		return append(all, named{word: "device_url", set: o.DeviceURL.Value != ""})
	case FlowBrowser:
		return append(all, named{word: "auth_url", set: o.AuthURL.Value != ""})
	}
	return append(all, named{word: "client_secret_file", set: o.ClientSecret.Given()})
}

// known fills in what is known of a provider.
func (o *OAuth) known() {
	switch o.Provider.Value {
	case Microsoft:
		o.Tenant = o.Tenant.or("organizations")
		base := "https://login.microsoftonline.com/" + o.Tenant.Value + "/oauth2/v2.0/"
		o.TokenURL, o.DeviceURL, o.AuthURL = o.TokenURL.or(base+"token"), o.DeviceURL.or(base+"devicecode"), o.AuthURL.or(base+"authorize")
		scopes := []string{"https://outlook.office.com/SMTP.Send", "offline_access"}
		if o.Flow.Value == FlowClient {
			scopes = []string{"https://outlook.office365.com/.default"}
		}
		o.Scopes = o.Scopes.or(scopes)
	case Google:
		o.TokenURL = o.TokenURL.or("https://oauth2.googleapis.com/token")
		o.AuthURL = o.AuthURL.or("https://accounts.google.com/o/oauth2/v2/auth")
		o.Scopes = o.Scopes.or([]string{"https://mail.google.com/"})
	}
}
