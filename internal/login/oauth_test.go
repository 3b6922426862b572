package login_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/login"
)

// mint knows its tokens.
type mint map[string]string

type counterfeit struct{ error }

func (counterfeit) Refused() string { return "the token is over" }

func (m mint) Name(_ context.Context, token string) (string, error) {
	switch name, ok := m[token]; {
	case token == "trouble-canary":
		return "", errors.New("the issuer is away")
	case ok:
		return name, nil
	}
	return "", counterfeit{errors.New("no")}
}

// TestTokens plays what clients say that bear tokens. A token that is not good is told in
// a challenge, and the client answers before it hears the reply (RFC 7628, 3.2.3).
func TestTokens(t *testing.T) {
	tokens := mint{"good-canary": "Jane@example.org", "nobodys-canary": "nobody@example.org"}
	const bad = `{"schemes":"bearer","status":"invalid_token"}, `
	const badX = `{"schemes":"bearer","status":"401"}, `
	const odd = `{"schemes":"bearer","status":"invalid_request"}, 535 the exchange is malformed`
	for _, x := range []struct{ mechanism, say, want string }{
		{"OAUTHBEARER", "n,a=jane@example.org,|host=mx|port=587|auth=Bearer good-canary||", "in"},
		{"OAUTHBEARER", "n,,|auth=bearer good-canary||", "in"},
		{"OAUTHBEARER", "n,a=jane=40example.org,|auth=Bearer good-canary||", bad + "535 the token is another's"},
		{"OAUTHBEARER", "n,a=joe,|auth=Bearer good-canary||", bad + "535 the token is another's"},
		{"OAUTHBEARER", "n,,|auth=Bearer over-canary||", bad + "535 the token is over"},
		{"OAUTHBEARER", "n,,|auth=Bearer nobodys-canary||", bad + "535 the token is good, and there is no such user"},
		{"OAUTHBEARER", "n,,|auth=Bearer trouble-canary||", "454 it could not be found out"},
		{"OAUTHBEARER", "n,,|auth=Basic good-canary||", odd},
		{"OAUTHBEARER", "n,,|host=mx||", odd},
		{"OAUTHBEARER", "p=tls-exporter,,|auth=Bearer good-canary||", odd},
		{"OAUTHBEARER", "n,a=,|auth=Bearer good-canary||", odd},
		{"OAUTHBEARER", "n,,|auth=Bearer good-canary|", odd},
		{"OAUTHBEARER", "n,,|auth=Bearer a|auth=Bearer good-canary||", odd},
		{"OAUTHBEARER", "n,", odd},
		{"OAUTHBEARER", "", odd},
		{"XOAUTH2", "user=jane@example.org|auth=Bearer good-canary||", "in"},
		{"XOAUTH2", "user=joe|auth=Bearer good-canary||", badX + "535 the token is another's"},
		{"XOAUTH2", "user=jane@example.org|auth=Bearer over-canary||", badX + "535 the token is over"},
		{"XOAUTH2", "jane@example.org|auth=Bearer good-canary||", odd},
		{"XOAUTH2", "", odd},
	} {
		for _, answer := range []string{"", "\x01", "canary"} {
			d := login.New(login.Options{Accounts: finders{newPeople()}, Tokens: tokens})
			e := d.Begin(t.Context(), x.mechanism, login.Visitor{Client: client, TLS: secure})
			if challenge, done, err := e.Next(nil); len(challenge) > 0 || done || err != nil {
				t.Fatalf("first: %q, %v, %v", challenge, done, err)
			}
			got := ""
			challenge, done, err := e.Next([]byte(strings.ReplaceAll(x.say, "|", "\x01")))
			if !done && err == nil {
				got = string(challenge) + ", "
				if f := e.Failed(); f == nil || f.Mechanism != x.mechanism {
					t.Errorf("%s %q: nobody knows yet that it has failed: %v", x.mechanism, x.say, f)
				}
				_, done, err = e.Next([]byte(answer))
			}
			if got += told(t, e, done, err); got != x.want {
				t.Errorf("%s %q: got %s, want %s", x.mechanism, x.say, got, x.want)
			}
		}
	}
}

// TestTokensAreOffered: to whom tokens are taken, and where accounts can be found.
func TestTokensAreOffered(t *testing.T) {
	for _, x := range []struct {
		opts login.Options
		tls  bool
		want bool
	}{
		{login.Options{Accounts: finders{newPeople()}, Tokens: mint{}}, true, true},
		{login.Options{Accounts: finders{newPeople()}, Tokens: mint{}}, false, false},
		{login.Options{Accounts: finders{newPeople()}}, true, false},
		{login.Options{Accounts: newPeople(), Tokens: mint{}}, true, false},
	} {
		v := login.Visitor{Client: client}
		if x.tls {
			v.TLS = secure
		}
		offered := login.New(x.opts).Mechanisms(&v)
		for _, m := range []string{"OAUTHBEARER", "XOAUTH2"} {
			if slices.Contains(offered, m) != x.want {
				t.Errorf("%s among %v: %v", m, offered, !x.want)
			}
		}
	}
}

// TestBadTokensAreBudgeted: they count for the network, whoever's they seem to be.
func TestBadTokensAreBudgeted(t *testing.T) {
	d := login.New(login.Options{Accounts: finders{newPeople()}, Tokens: mint{}})
	var last string
	for range 100 {
		e := d.Begin(t.Context(), "OAUTHBEARER", login.Visitor{Client: client, TLS: secure})
		_, done, err := e.Next([]byte("n,,\x01auth=Bearer made-up\x01\x01"))
		if err == nil {
			_, done, err = e.Next([]byte{1})
		}
		last = told(t, e, done, err)
	}
	if last != tooMany {
		t.Error(last)
	}
}

func FuzzOAuth(f *testing.F) {
	f.Add("n,a=jane,\x01auth=Bearer x\x01\x01")
	f.Add("user=jane\x01auth=Bearer x\x01\x01")
	f.Fuzz(func(t *testing.T, said string) {
		for _, m := range []string{"OAUTHBEARER", "XOAUTH2"} {
			d := login.New(login.Options{Accounts: finders{newPeople()}, Tokens: mint{}})
			e := d.Begin(context.Background(), m, login.Visitor{Client: client, TLS: secure})
			if _, done, _ := e.Next([]byte(said)); done || e.Account() != nil {
				t.Errorf("%q is let in", said)
			}
		}
	})
}
