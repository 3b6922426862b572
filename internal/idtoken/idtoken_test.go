package idtoken_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posthouse/posthouse/internal/idtoken"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // a test cannot go on without it
	}
	return v
}

func sign(alg jose.SignatureAlgorithm, key any, id string, claims any) string {
	k := jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}
	return must(jwt.Signed(must(jose.NewSigner(k, nil))).Claims(claims).Serialize())
}

func public(id string, alg jose.SignatureAlgorithm, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: string(alg), Use: "sig"}
}

func good() map[string]any {
	return map[string]any{
		"iss": "https://id.example.org", "aud": []string{"other", "posthouse"}, "email": "jane@example.org",
		"exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-time.Hour).Unix(),
	}
}

func with(key string, value any) map[string]any {
	c := good()
	if c[key] = value; value == nil {
		delete(c, key)
	}
	return c
}

func TestTokens(t *testing.T) {
	rsaKey, weak := must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 1024))
	ecKey, stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	keys := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		public("r", jose.RS256, rsaKey), public("w", jose.RS256, weak), public("c", jose.ES256, ecKey), public("d", jose.EdDSA, edKey),
	}}
	secret := []byte("canary-canary-canary-canary-canary")
	v := idtoken.New(idtoken.Options{Issuer: "https://id.example.org", Audience: []string{"posthouse"}, Keys: idtoken.Fixed{Set: keys}})
	const none = "the token is no JWT that is signed by RS256, ES256 or EdDSA"
	for _, x := range []struct{ name, token, want string }{
		{"RS256", sign(jose.RS256, rsaKey, "r", good()), ""},
		{"ES256", sign(jose.ES256, ecKey, "c", good()), ""},
		{"EdDSA", sign(jose.EdDSA, edKey, "d", good()), ""},
		{"no key ID", sign(jose.ES256, ecKey, "", good()), ""},
		{"clocks differ", sign(jose.ES256, ecKey, "c", with("exp", time.Now().Add(-30*time.Second).Unix())), ""},
		{"verified", sign(jose.ES256, ecKey, "c", with("email_verified", true)), ""},

		{"over", sign(jose.ES256, ecKey, "c", with("exp", time.Now().Add(-2*time.Minute).Unix())), "the time of the token is over (exp)"},
		{"never over", sign(jose.ES256, ecKey, "c", with("exp", nil)), "the token has no end of its time (exp)"},
		{"not yet", sign(jose.ES256, ecKey, "c", with("nbf", time.Now().Add(2*time.Minute).Unix())), "the time of the token has not begun (nbf, iat)"},
		{"another issuer", sign(jose.ES256, ecKey, "c", with("iss", "https://id.example.net")), "the token is of another issuer (iss)"},
		{"no issuer", sign(jose.ES256, ecKey, "c", with("iss", nil)), "the token is of another issuer (iss)"},
		{"for others", sign(jose.ES256, ecKey, "c", with("aud", "other")), "the token is for others (aud)"},
		{"for nobody", sign(jose.ES256, ecKey, "c", with("aud", nil)), "the token is for others (aud)"},
		{"nobody", sign(jose.ES256, ecKey, "c", with("email", nil)), "the token has no claim email"},
		{"a number", sign(jose.ES256, ecKey, "c", with("email", 7)), "the token has no claim email"},
		{"not verified", sign(jose.ES256, ecKey, "c", with("email_verified", false)), "the issuer has not verified the address (email_verified)"},

		{"a stranger", sign(jose.ES256, stranger, "c", good()), "the token is signed by no key of the issuer"},
		{"another ID", sign(jose.ES256, ecKey, "r", good()), "the token is signed by no key of the issuer"},
		{"a weak key", sign(jose.RS256, weak, "w", good()), "the token is signed by no key of the issuer"},
		{"a secret of both", sign(jose.HS256, secret, "c", good()), none},
		{"RS512", sign(jose.RS512, rsaKey, "r", good()), none},
		{"nobody signed", "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImphbmVAZXhhbXBsZS5vcmcifQ.", none},
		{"changed", sign(jose.ES256, ecKey, "c", good())[:60] + "canary", none},
		{"long", strings.Repeat("a", 20_000), "the token is too long"},
		{"empty", "", none},
	} {
		name, err := v.Name(t.Context(), x.token)
		var no *idtoken.Refused
		switch {
		case x.want == "" && (err != nil || name != "jane@example.org"):
			t.Errorf("%s: %q, %v", x.name, name, err)
		case x.want != "" && (!errors.As(err, &no) || no.Refused() != x.want || name != ""):
			t.Errorf("%s: %q, %v, want %s", x.name, name, err, x.want)
		}
	}
}

// issuer is a server of keys.
type issuer struct {
	mu    sync.Mutex
	keys  *jose.JSONWebKeySet
	away  bool
	asked atomic.Int32
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	w := httptest.NewRecorder()
	if i.away {
		w.WriteHeader(http.StatusBadGateway)
	}
	_ = json.NewEncoder(w).Encode(i.keys)
	return w.Result(), nil
}

// TestKeysAreFetched: when they are old or a token names another one, and never twice in
// a minute.
func TestKeysAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		server := &issuer{keys: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public("one", jose.ES256, one)}}}
		v := idtoken.New(idtoken.Options{
			Issuer: "https://id.example.org", Audience: []string{"posthouse"},
			Keys: &idtoken.Fetched{URL: "https://id.example.org/keys", Web: &http.Client{Transport: server}},
		})
		step := func(what string, after time.Duration, id string, key *ecdsa.PrivateKey, in bool, asked int32) {
			t.Helper()
			time.Sleep(after)
			_, err := v.Name(t.Context(), sign(jose.ES256, key, id, good()))
			if (err == nil) != in || server.asked.Load() != asked {
				t.Errorf("%s: %v; asked %d times, want %d", what, err, server.asked.Load(), asked)
			}
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { _, _ = v.Name(t.Context(), sign(jose.ES256, one, "one", good())) })
		}
		all.Wait()
		step("many at a time asked once", 0, "one", one, true, 1)
		step("a new key is too new", 0, "two", two, false, 1)
		server.mu.Lock()
		server.keys.Keys = append(server.keys.Keys, public("two", jose.ES256, two))
		server.mu.Unlock()
		step("a new key", pauseOf, "two", two, true, 2)
		for range 100 {
			step("tokens that somebody makes up", 0, "three", one, false, 2)
		}
		step("old keys", 2*time.Hour, "one", one, true, 3)
		server.mu.Lock()
		server.away = true
		server.mu.Unlock()
		step("the server is away", 2*time.Hour, "one", one, true, 4)
		step("and is not asked at once again", 0, "one", one, true, 4)
	})
}

const pauseOf = time.Minute + time.Second

func TestKeysThatCannotBeFetched(t *testing.T) {
	v := idtoken.New(idtoken.Options{Keys: &idtoken.Fetched{URL: "https://id.example.org/keys", Web: &http.Client{Transport: &issuer{away: true}}}})
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for range 2 {
		_, err := v.Name(context.Background(), sign(jose.ES256, key, "one", good()))
		var no *idtoken.Refused
		if err == nil || errors.As(err, &no) || !strings.Contains(err.Error(), "says 502") {
			t.Error(err)
		}
	}
}

func TestSetsOfKeys(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	set := func(keys ...jose.JSONWebKey) []byte { return must(json.Marshal(jose.JSONWebKeySet{Keys: keys})) }
	for _, x := range []struct {
		text []byte
		want string
	}{
		{set(public("one", jose.ES256, key)), ""},
		{set(), "no key in it that may sign"},
		{set(jose.JSONWebKey{Key: key, KeyID: "canary"}), "must hold public keys only"},
		{set(jose.JSONWebKey{Key: []byte("canary-canary-canary-canary"), KeyID: "x"}), "must hold public keys only"},
		{[]byte("canary"), "no set of keys"},
	} {
		_, err := idtoken.ParseKeys(x.text)
		if (err == nil) != (x.want == "") || err != nil && (!strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v", x.text, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public("one", jose.ES256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))}})))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := idtoken.ParseKeys(text)
		if (set == nil) == (err == nil) {
			t.Error(set, err)
		}
	})
}
