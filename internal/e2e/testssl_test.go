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
// more, but what is the fault of a certificate that a test has made. It takes minutes, and
// gives up on a busy machine, so that it is run by itself only: make testssl.
func TestTestssl(t *testing.T) {
	if os.Getenv("POSTHOUSE_TEST_TESTSSL") == "" {
		t.Skip("it takes minutes: make testssl")
	}
	needs(t, "testssl", "openssl")
	authority := newAuthority(t)
	chain, key := authority.certify(t, "127.0.0.1")
	check(t, os.Chmod(key, 0o600))
	h := open(t, "tls-ports", "CHAIN="+chain, "KEY="+key)
	for _, port := range []struct{ name, starttls string }{
		{"smtp", "smtp"}, {"submission", "smtp"}, {"submissions", ""},
	} {
		t.Run(port.name, func(t *testing.T) {
			for _, f := range testssl(t, h.at[port.name], port.starttls) {
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

// testssl looks at a port: protocols, ciphers, forward secrecy, the server's preferences, and
// the known holes; not at certificates, which are the postmaster's.
func testssl(t *testing.T, addr, starttls string) []finding {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.json")
	args := []string{
		"--quiet", "--color", "0", "--nodns", "none", "--warnings", "batch", "--openssl-timeout", "20", "--connect-timeout", "20",
		"--jsonfile", out, "--protocols", "--server-defaults", "--server-preference", "--fs", "--vulnerable",
	}
	if starttls != "" {
		args = append(args, "--starttls", starttls)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, "testssl", append(args, addr)...).CombinedOutput()
	text, unread := os.ReadFile(out)
	var all []finding
	if unread != nil || json.Unmarshal(text, &all) != nil || len(all) < 20 {
		t.Fatalf("testssl.sh: %v, %v\n%s", err, unread, said)
	}
	return slices.DeleteFunc(all, func(f finding) bool { return strings.HasPrefix(f.ID, "cert") })
}
