package daemon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// bearing is a client that logs in by a token.
type bearing struct{ name, token string }

func (b bearing) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + b.name + "\x01auth=Bearer " + b.token + "\x01\x01"), nil
}

func (b bearing) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return []byte{}, nil // to the challenge that tells why the token is not good
}

// TestPeopleWithTokens: whoever bears a token of the issuer is one of the users, and
// nobody else.
func TestPeopleWithTokens(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "keys.json"), keys)
	write(t, filepath.Join(dir, "users"), []byte("jane@example.org\n"))
	token := func(name string, left time.Duration) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "https://id.example.org", "aud": "posthouse", "email": name, "exp": time.Now().Add(left).Unix(),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	at, log := peopleHouse(t, fmt.Sprintf(`
  file = %q
  oauth {
    issuer   = "https://id.example.org"
    audience = "posthouse"
    keys     = %q
  }
`, filepath.Join(dir, "users"), filepath.Join(dir, "keys.json")))
	over := token("jane@example.org", -time.Hour)
	for _, x := range []struct{ token, as, want string }{
		{token("Jane@example.org", time.Hour), "jane@example.org", ""},
		{token("jane@example.org", time.Hour), "joe@example.org", `553 "5.7.1`},
		{over, "jane@example.org", `535 "5.7.8`},
	} {
		err := submit(t, at, bearing{"jane@example.org", x.token}, x.as)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("as %s: %v, want %q", x.as, err, x.want)
		}
	}
	log.shows(t, "authentication failed", 1)
	log.mu.Lock()
	defer log.mu.Unlock()
	if strings.Contains(log.text.String(), over) {
		t.Error("a token is in the log")
	}
}
