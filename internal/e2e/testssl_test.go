package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTestssl has testssl.sh look at each port: it finds nothing that is of medium weight or
// more, but what is the fault of a certificate that a test has made. It takes minutes, so that it
// is run by itself only: make testssl. With POSTHOUSE_TEST_TESTSSL=quick, as in .ci/run, it looks
// at one port for what a change of ours could spoil, and a machine that is too busy for that
// skips it.
func TestTestssl(t *testing.T) {
	how := os.Getenv("POSTHOUSE_TEST_TESTSSL")
	if how == "" {
		t.Skip("it takes minutes: make testssl")
	}
	look := thorough
	if how == "quick" {
		look = quick
	}
	needs(t, "testssl", "openssl")
	authority := newAuthority(t)
	chain, key := authority.certify(t, "127.0.0.1")
	check(t, os.Chmod(key, 0o600))
	h := open(t, "tls-ports", "CHAIN="+chain, "KEY="+key)
	for _, port := range []struct{ name, starttls string }{
		{"smtp", "smtp"}, {"submission", "smtp"}, {"submissions", ""},
	} {
		if !slices.Contains(look.ports, port.name) {
			continue
		}
		t.Run(port.name, func(t *testing.T) {
			for _, f := range look.testssl(t, h.at[port.name], port.starttls) {
				if slices.Contains([]string{"MEDIUM", "HIGH", "CRITICAL", "FATAL"}, f.Severity) {
					t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
				}
			}
		})
	}
	h.end(t)
}

// finding is what testssl.sh says of one thing.
type finding struct{ ID, Severity, Finding string }

// inspection is what testssl.sh is to look at, and for how long: protocols, ciphers, forward
// secrecy, the server's preferences, and the known holes; not certificates, which are the
// postmaster's.
type inspection struct {
	ports  []string
	checks []string
	most   time.Duration // no longer; then it fails, or is skipped
	skip   bool
	least  int // findings, else it has not looked
}

var (
	thorough = inspection{
		ports:  []string{"smtp", "submission", "submissions"},
		checks: []string{"--protocols", "--server-defaults", "--server-preference", "--fs", "--vulnerable"},
		most:   20 * time.Minute, least: 20,
	}
	quick = inspection{
		ports: []string{"submissions"}, checks: []string{"--protocols", "--fs", "--heartbleed", "--renegotiation", "--compression"},
		most: 4 * time.Minute, skip: true, least: 10,
	}
)

// testssl looks at a port.
func (i inspection) testssl(t *testing.T, addr, starttls string) []finding {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.json")
	args := append([]string{
		"--quiet", "--color", "0", "--nodns", "none", "--warnings", "batch", "--openssl-timeout", "20", "--connect-timeout", "20",
		"--jsonfile", out,
	}, i.checks...)
	if starttls != "" {
		args = append(args, "--starttls", starttls)
	}
	ctx, cancel := context.WithTimeout(t.Context(), i.most)
	defer cancel()
	said, err := exec.CommandContext(ctx, "testssl", append(args, addr)...).CombinedOutput()
	if ctx.Err() != nil && i.skip {
		t.Skipf("testssl.sh has not come to its end in %v", i.most)
	}
	text, unread := os.ReadFile(out)
	var all []finding
	if unread != nil || json.Unmarshal(text, &all) != nil || len(all) < i.least {
		t.Fatalf("testssl.sh: %v, %v, %d findings\n%s", err, unread, len(all), said)
	}
	return slices.DeleteFunc(all, func(f finding) bool { return strings.HasPrefix(f.ID, "cert") })
}
