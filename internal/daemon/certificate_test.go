package daemon_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// writeCertificate puts a certificate of a host into NAME.pem and NAME.key.
func writeCertificate(t *testing.T, name, host string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsHouse is a house with listeners that begin with TLS, in a bubble.
type tlsHouse struct {
	t    *testing.T
	dir  string
	net  *network
	mu   sync.Mutex
	log  strings.Builder
	stop func()
}

// Write implements [io.Writer] for the log.
func (h *tlsHouse) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *tlsHouse) told(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Count(h.log.String(), text)
}

func newTLSHouse(t *testing.T, dir string) *tlsHouse {
	h := &tlsHouse{t: t, dir: dir, net: newNetwork()}
	writeCertificate(t, filepath.Join(dir, "one"), "one.example", 1)
	writeCertificate(t, filepath.Join(dir, "two"), "two.example", 2)
	write(t, filepath.Join(dir, "users"), nil)
	c, err := config.Parse(filepath.Join(dir, "house.hcl"), []byte(`
hostname = "one.example"
certificate {
  chain = "one.pem"
  key   = "one.key"
}
certificate {
  chain = "two.pem"
  key   = "two.key"
}
listen "submissions" { address = "10.0.0.1:465" }
listen "submissions" {
  name    = "other"
  address = "10.0.0.1:466"
}
users { file = "users" }
`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	house, err := daemon.New(t.Context(), c, daemon.World{
		Listen: h.net.listen, Dial: h.net.from("10.0.0.1"), Seed: 1, Log: slog.New(slog.NewTextHandler(h, nil)),
		Addrs: func() ([]netip.Addr, error) { return nil, nil },
		Spool: func(*config.Config) (spool.Engine, error) { return memspool.New(memspool.Options{}), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return h
}

// connect asks for a host at a port, and says which certificate it was shown and whether the
// session went on from one before.
func (h *tlsHouse) connect(port int, config *tls.Config) (serial int64, resumed bool, err error) {
	h.t.Helper()
	conn, err := h.net.from("10.0.0.2")(h.t.Context(), netip.Addr{}, "tcp", fmt.Sprintf("10.0.0.1:%d", port))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(h.t.Context()); err != nil {
		return 0, false, err
	}
	if _, err := c.Read(make([]byte, 100)); err != nil { // the greeting; tickets come before it
		h.t.Error(err)
	}
	state := c.ConnectionState()
	return state.PeerCertificates[0].SerialNumber.Int64(), state.DidResume, nil
}

// TestCertificatesAreRenewed: the client's SNI chooses, files that have changed are taken
// over within a minute, and those that cannot be used change nothing.
func TestCertificatesAreRenewed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newTLSHouse(t, dir)
		defer h.stop()
		shows := func(host string, want int64) {
			t.Helper()
			serial, _, err := h.connect(465, &tls.Config{ServerName: host, InsecureSkipVerify: true})
			if err != nil || serial != want {
				t.Errorf("for %s: certificate %d, %v, want %d", host, serial, err, want)
			}
		}
		shows("one.example", 1)
		shows("two.example", 2)
		shows("three.example", 1)
		writeCertificate(t, filepath.Join(dir, "two"), "two.example", 3)
		shows("two.example", 2)
		time.Sleep(61 * time.Second)
		shows("two.example", 3)
		shows("one.example", 1)
		if n := h.told("a new certificate is in use"); n != 1 {
			t.Errorf("told %d times", n)
		}
		// The chain is there already, and its key not yet.
		key, err := os.ReadFile(filepath.Join(dir, "two.key"))
		if err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, filepath.Join(dir, "two"), "two.example", 4)
		fresh, err := os.ReadFile(filepath.Join(dir, "two.key"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "two.key"), key)
		time.Sleep(5 * time.Minute)
		shows("two.example", 3)
		if n := h.told("the certificate before stays"); n != 1 {
			t.Errorf("told %d times", n)
		}
		write(t, filepath.Join(dir, "two.key"), fresh)
		time.Sleep(61 * time.Second)
		shows("two.example", 4)
	})
}

// TestTicketsAreOfOneListener: a session that one listener has begun goes on there, and
// at no other.
func TestTicketsAreOfOneListener(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newTLSHouse(t, dir)
		defer h.stop()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			cache := tls.NewLRUClientSessionCache(10)
			client := &tls.Config{ServerName: "one.example", InsecureSkipVerify: true, ClientSessionCache: cache, MaxVersion: version}
			for _, x := range []struct {
				port int
				want bool
			}{{465, false}, {465, true}, {466, false}, {466, true}, {465, false}} {
				if _, resumed, err := h.connect(x.port, client); err != nil || resumed != x.want {
					t.Errorf("%s, port %d: resumed is %v, %v", tls.VersionName(version), x.port, resumed, err)
				}
			}
		}
	})
}

// TestWhatTLSIsSpoken: 1.2 and up, and no protocol but ours by ALPN.
func TestWhatTLSIsSpoken(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newTLSHouse(t, dir)
		defer h.stop()
		for _, x := range []struct {
			config *tls.Config
			good   bool
		}{
			{&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, false},
			{&tls.Config{MaxVersion: tls.VersionTLS12}, true},
			{&tls.Config{NextProtos: []string{"smtp"}}, true},
			{&tls.Config{NextProtos: []string{"http/1.1"}}, false},
		} {
			x.config.InsecureSkipVerify = true
			if _, _, err := h.connect(465, x.config); (err == nil) != x.good {
				t.Errorf("%v: %v", x.config.NextProtos, err)
			}
		}
	})
}

// TestCertificatesThatEndAreTold: a week before, and when they are over, once a day.
func TestCertificatesThatEndAreTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := newTLSHouse(t, dir) // with two that are good for a day
		defer h.stop()
		synctest.Wait()
		for _, x := range []struct {
			after      time.Duration
			soon, over int
		}{{0, 2, 0}, {23 * time.Hour, 2, 0}, {2 * time.Hour, 2, 2}, {24 * time.Hour, 2, 4}} {
			time.Sleep(x.after)
			synctest.Wait()
			if soon, over := h.told("a certificate ends soon"), h.told("a certificate is over"); soon != x.soon || over != x.over {
				t.Errorf("%v later: told %d and %d times, want %d and %d", x.after, soon, over, x.soon, x.over)
			}
		}
	})
}
