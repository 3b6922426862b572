package daemon_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/acme/acmetest"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// heard is a log to wait for.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (l *heard) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *heard) shows(t *testing.T, text string, times int) {
	t.Helper()
	guard := time.After(2 * time.Minute)
	for {
		l.mu.Lock()
		s := l.text.String()
		l.mu.Unlock()
		if strings.Count(s, text) >= times {
			return
		}
		select {
		case <-l.more:
		case <-guard:
			t.Fatalf("the log never had %q: %s", text, s)
		}
	}
}

// once is a listener that was open before the house wanted it, so that its port is ours.
func once(opened ...net.Listener) func(ctx context.Context, network, address string) (net.Listener, error) {
	return func(ctx context.Context, network, address string) (net.Listener, error) {
		for _, l := range opened {
			if l.Addr().String() == address {
				return l, nil
			}
		}
		return new(net.ListenConfig).Listen(ctx, network, address)
	}
}

// acmeConfig is a house whose certificates an authority gives.
func acmeConfig(t *testing.T, a *acmetest.Authority, dir string, more string) *config.Config {
	t.Helper()
	write(t, filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Known.Raw}))
	c, err := config.Parse(filepath.Join(dir, "house.hcl"), fmt.Appendf(nil, `
hostname = "mx.house.example"
data     = "data"
relay { networks = ["127.0.0.1"] }
listen "submissions" { address = "127.0.0.1:0" }
acme {
  agree     = true
  directory = %q
  ca        = "ca.pem"
  %s
}
`, a.Directory, more), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shown is the certificate that a client sees who asks for a name.
func shown(t *testing.T, at net.Addr, name string) *tls.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", at.String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	state := conn.ConnectionState()
	c := &tls.Certificate{Leaf: state.PeerCertificates[0]}
	for _, one := range state.PeerCertificates {
		c.Certificate = append(c.Certificate, one.Raw)
	}
	return c
}

// TestMailGoesOnUntilTheFirstCertificateComes: a certificate that was made for the run
// serves until then, and what came before a reload or a restart is there after it.
func TestMailGoesOnUntilTheFirstCertificateComes(t *testing.T) {
	const key = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ"
	a := acmetest.NewFor(t, map[string]string{"kid-1": key}) // it serves only those whom it knows
	dir := t.TempDir()
	write(t, filepath.Join(dir, "account.key"), []byte(key+"\n"))
	if err := os.Chmod(filepath.Join(dir, "account.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	both := fmt.Sprintf("account_id = \"kid-1\"\n  account_key_file = \"account.key\"\n  names = [\"one.house.example\", \"two.house.example\"]\n  http = %q\n  tls_alpn = %q", a.HTTP.Addr(), a.TLSALPN.Addr())
	c := acmeConfig(t, a, dir, both)
	log := &heard{more: make(chan struct{}, 1)}
	world := daemon.World{
		Listen: once(a.HTTP, a.TLSALPN), Seed: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		Spool: func(*config.Config) (spool.Engine, error) { return memspool.New(memspool.Options{}), nil },
	}
	if err := daemon.Check(t.Context(), c, world); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a check has left something behind")
	}
	house, err := daemon.New(t.Context(), c, world)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range house.Certificates() {
		if !s.Until.IsZero() || s.From != a.Directory {
			t.Errorf("%+v", s)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	at := addressOf(t, house, "submissions")
	if err := a.Good(shown(t, at, "one.house.example"), "one.house.example"); err == nil {
		log.shows(t, "a new certificate is in use", 1) // it was quicker than we
	}
	log.shows(t, "a new certificate is in use", 2)
	for _, name := range []string{"one.house.example", "two.house.example"} {
		if err := a.Good(shown(t, at, name), name); err != nil {
			t.Error(err)
		}
	}
	if err := a.Good(shown(t, at, "three.house.example"), "one.house.example"); err != nil {
		t.Errorf("without a certificate for the name it is the first: %v", err)
	}

	// Whoever asks for something else at the port for challenges finds nothing.
	resp, err := http.Get("http://" + a.HTTP.Addr().String() + "/.well-known/acme-challenge/guess")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("%s", resp.Status)
	}
	if err := a.Good(shown(t, a.TLSALPN.Addr(), "two.house.example"), "two.house.example"); err != nil {
		t.Error(err)
	}

	if err := house.Reload(t.Context(), acmeConfig(t, a, dir, both+"\n  reuse_key = true")); err != nil {
		t.Fatal(err)
	}
	if err := a.Good(shown(t, at, "two.house.example"), "two.house.example"); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	for _, s := range house.Certificates() {
		if s.Until.IsZero() || s.Trouble != "" {
			t.Errorf("%+v", s)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func addressOf(t *testing.T, h *daemon.House, name string) net.Addr {
	t.Helper()
	for _, l := range h.Listening() {
		if l.Name == name {
			return l.Addr
		}
	}
	t.Fatalf("there is no listener %s: %v", name, h.Listening())
	return nil
}

// TestAnAuthorityThatIsAwayStopsNothing: and what is wrong is told.
func TestAnAuthorityThatIsAwayStopsNothing(t *testing.T) {
	a := acmetest.New(t)
	a.Lose()
	c := acmeConfig(t, a, t.TempDir(), fmt.Sprintf("http = %q", a.HTTP.Addr()))
	log := &heard{more: make(chan struct{}, 1)}
	house, err := daemon.New(t.Context(), c, daemon.World{
		Listen: once(a.HTTP), Seed: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		Spool: func(*config.Config) (spool.Engine, error) { return memspool.New(memspool.Options{}), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	log.shows(t, "no new certificate could be got", 1)
	if c := shown(t, addressOf(t, house, "submissions"), "mx.house.example"); c.Leaf.VerifyHostname("mx.house.example") != nil {
		t.Errorf("shown: %v", c.Leaf.DNSNames)
	}
	s := house.Certificates()
	if len(s) != 1 || s[0].Name != "mx.house.example" || s[0].Trouble == "" || s[0].Next.IsZero() {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTheKeysMustBeClosed: a directory that others may look into is an error of the
// configuration.
func TestTheKeysMustBeClosed(t *testing.T) {
	a := acmetest.New(t)
	dir := t.TempDir()
	c := acmeConfig(t, a, dir, fmt.Sprintf("http = %q", a.HTTP.Addr()))
	if err := os.MkdirAll(filepath.Join(dir, "data", "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := daemon.Check(t.Context(), c, daemon.World{})
	var problems config.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), "house.hcl:6:1: the mode of ") {
		t.Error(err)
	}
}

// TestNodesOfAClusterShowOneCertificate: what one got is in the spool, sealed, and another shows it
// from its first moment on.
func TestNodesOfAClusterShowOneCertificate(t *testing.T) {
	a := acmetest.New(t)
	engine := memspool.New(memspool.Options{})
	defer engine.Close()
	node := func(name string, opened net.Listener) (*daemon.House, *heard, func()) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "seal.key"), []byte("a key that all nodes have\n"))
		if err := os.Chmod(filepath.Join(dir, "seal.key"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := acmeConfig(t, a, dir, fmt.Sprintf("http = %q\n}\nseal_key_file = \"seal.key\"\nspool {\n  postgres = \"postgres://posthouse@127.0.0.1/posthouse\"\n  node = %q", opened.Addr(), name))
		log := &heard{more: make(chan struct{}, 1)}
		house, err := daemon.New(t.Context(), c, daemon.World{
			Listen: once(opened), Seed: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
			Spool: func(*config.Config) (spool.Engine, error) { return lent{engine}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- house.Run(ctx) }()
		return house, log, func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "data", "acme")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a node keeps something of its own: %v", err)
			}
		}
	}
	one, log, end := node("mx1", a.HTTP)
	log.shows(t, "a new certificate is in use", 1)
	first := shown(t, addressOf(t, one, "submissions"), "mx.house.example")
	if err := a.Good(first, "mx.house.example"); err != nil {
		t.Error(err)
	}
	end()
	kept, err := engine.States(t.Context(), "acme", "", 0)
	if err != nil || len(kept) == 0 {
		t.Fatal(kept, err)
	}
	for _, s := range kept {
		if bytes.Contains(s.Value, []byte("BEGIN")) {
			t.Errorf("%s is not sealed", s.Key)
		}
	}
	a.Lose() // nobody could get another
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other, _, end := node("mx2", l)
	if c := shown(t, addressOf(t, other, "submissions"), "mx.house.example"); !c.Leaf.Equal(first.Leaf) {
		t.Errorf("it shows another one: %v", c.Leaf.Issuer)
	}
	end()
}

// lent is an engine that whoever uses it does not close.
type lent struct{ spool.Engine }

func (lent) Close() error { return nil }
