package daemon_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/acme/acmetest"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// TestPagesOfADomain: the policy is served with a certificate that an authority gave for its
// name, asking at the very port; and a reload changes what it says.
func TestPagesOfADomain(t *testing.T) {
	a := acmetest.New(t)
	dir := t.TempDir()
	at := a.TLSALPN.Addr()
	with := func(mode string) *config.Config {
		return acmeConfig(t, a, dir, fmt.Sprintf(`tls_alpn = %q
  names    = "mta-sts.sohu.example"
}
https {
  address = [%[1]q, "127.0.0.1:0"]
  imap    = "imap.house.example"
}
domain "sohu.example" {
  mailboxes = ["li"]
  mta_sts   = %q
  also      = ["alias.example"]`, at, mode))
	}
	log := &heard{more: make(chan struct{}, 1)}
	house, err := daemon.New(t.Context(), with("testing"), daemon.World{
		Listen: once(a.TLSALPN), Seed: 1, Log: slog.New(slog.NewTextHandler(log, nil)),
		Spool: func(*config.Config) (spool.Engine, error) { return memspool.New(memspool.Options{}), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- house.Run(ctx) }()
	log.shows(t, "a new certificate is in use", 1)

	const policy = "/.well-known/mta-sts.txt"
	get := func(name, path string) (int, string) {
		t.Helper()
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", at.String())
			},
			TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
				if name != "mta-sts.sohu.example" {
					return nil
				}
				return a.Good(&tls.Certificate{Leaf: s.PeerCertificates[0], Certificate: raw(s)}, name)
			}},
		}}
		r, err := client.Get("https://" + name + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(text)
	}
	for _, domain := range []string{"sohu.example", "alias.example"} {
		if status, text := get("mta-sts."+domain, policy); status != 200 || !strings.Contains(text, "mode: testing") || !strings.Contains(text, "mx: mx.house.example") {
			t.Errorf("%d %q", status, text)
		}
	}
	if status, text := get("autoconfig.sohu.example", "/mail/config-v1.1.xml"); status != 200 || !strings.Contains(text, "<hostname>imap.house.example</hostname>") {
		t.Errorf("%d %q", status, text)
	}
	for _, path := range []string{"/", "/.well-known/", "/.well-known/acme-challenge/x"} {
		if status, _ := get("mta-sts.sohu.example", path); status != 404 {
			t.Errorf("%s is there: %d", path, status)
		}
	}
	if err := house.Reload(t.Context(), with("enforce")); err != nil {
		t.Fatal(err)
	}
	if _, text := get("mta-sts.sohu.example", policy); !strings.Contains(text, "mode: enforce") {
		t.Errorf("after a reload it says %q", text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func raw(s tls.ConnectionState) (all [][]byte) {
	for _, c := range s.PeerCertificates {
		all = append(all, c.Raw)
	}
	return all
}
