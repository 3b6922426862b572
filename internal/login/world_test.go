package login_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/transcript"
)

// people are accounts whose passwords are known. They count how often they are asked.
type people struct {
	passwords map[string]string
	trouble   error // of Check
	mu        sync.Mutex
	asked     int
}

func (p *people) Check(_ context.Context, name, password string) (*directory.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.trouble != nil {
		return nil, p.trouble
	}
	if want, ok := p.passwords[name]; !ok || want != password {
		return nil, directory.ErrNoLogin
	}
	return &directory.Account{Name: name}, nil
}

// finders are people who can be found too.
type finders struct{ *people }

func (p finders) HasSCRAM() bool { return true }

func (p finders) Find(_ context.Context, name string) (*directory.Account, error) {
	word, ok := p.passwords[directory.FoldName(name)]
	if !ok {
		return nil, directory.ErrNoLogin
	}
	if word == "" {
		return &directory.Account{Name: name}, nil
	}
	client, err := scram.SHA256.NewClient(name, word, "")
	if err != nil {
		return nil, err
	}
	keys, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "sixteen octets..", Iters: 4096})
	return &directory.Account{Name: name, SCRAM: &directory.SCRAM{
		Salt: []byte(keys.Salt), Iterations: keys.Iters, StoredKey: keys.StoredKey, ServerKey: keys.ServerKey,
	}, CRAM: password.NewCRAM(word)}, err
}

func newPeople() *people {
	return &people{passwords: map[string]string{"jane@example.org": "lion-canary", "joe": "tiger-canary", "nothing": ""}}
}

// secure is TLS as far as mechanisms without binding care.
var secure = &tls.ConnectionState{Version: tls.VersionTLS12}

// plain logs in by PLAIN, and returns "in", or why not.
func plain(t *testing.T, d *login.Door, client, name, password string) string {
	t.Helper()
	x := d.Begin(t.Context(), "PLAIN", login.Visitor{Client: netip.MustParseAddr(client), TLS: secure})
	_, done, err := x.Next([]byte("\x00" + name + "\x00" + password))
	return told(t, x, done, err)
}

// told is how an exchange ended. Nothing that is told holds a password.
func told(t *testing.T, x *login.Exchange, done bool, err error) string {
	t.Helper()
	var f *login.Failure
	switch {
	case err == nil && done && x.Account() != nil:
		return "in"
	case !errors.As(err, &f):
		t.Fatalf("done %v, account %v, error %v", done, x.Account(), err)
	case x.Account() != nil || done:
		t.Errorf("let in all the same: %v", err)
	}
	if all := fmt.Sprintf("%v %+v %v", err, f, f.Reply); strings.Contains(all, "canary") {
		t.Errorf("told: %s", all)
	}
	return fmt.Sprintf("%d %s", f.Reply.Code, f.Why)
}

// connected makes a TLS connection and returns how it looks from both ends. With a
// certificate the client shows one, which is trusted.
func connected(t *testing.T, version uint16, client *tls.Certificate) (server, visitor *tls.ConnectionState) {
	t.Helper()
	own := certificate(t, &x509.Certificate{DNSNames: []string{"mx.example.org"}})
	config := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: version, MaxVersion: version}
	asks := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
	if client != nil {
		leaf, err := x509.ParseCertificate(client.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		config.ClientCAs.AddCert(leaf)
		asks.Certificates = []tls.Certificate{*client}
	}
	here, there := transcript.Pipe(1 << 16)
	s, c := tls.Server(there, config), tls.Client(here, asks)
	done := make(chan error)
	go func() { done <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	first, second := s.ConnectionState(), c.ConnectionState()
	return &first, &second
}

// certificate makes one that vouches for itself.
func certificate(t *testing.T, is *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is.SerialNumber, is.NotBefore, is.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	is.IsCA, is.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// person is a certificate of somebody with a common name and addresses.
func person(t *testing.T, commonName string, addresses ...string) *tls.Certificate {
	c := certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: commonName}, EmailAddresses: addresses})
	return &c
}
