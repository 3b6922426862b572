package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// commander calls commands in the directory of a house.
type commander struct {
	t *testing.T
	h *house
}

// ends calls a command that must end with a status, and returns what it printed.
func (c commander) ends(status int, args ...string) string {
	c.t.Helper()
	cmd := exec.Command("posthouse", args...)
	cmd.Dir = c.h.dir
	cmd.Env = append(os.Environ(), "POSTHOUSE_CONFIG=posthouse.hcl")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		c.t.Fatalf("%q ended with status %d, want %d\n%s%s", args, got, status, out, &errs)
	}
	return string(out)
}

// says calls a command that must end well, and print something that matches.
func (c commander) says(pattern string, args ...string) {
	c.t.Helper()
	if out := c.ends(0, args...); !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
		c.t.Errorf("%q does not say %q:\n%s", args, pattern, out)
	}
}

// serve publishes a zone file that a command printed, but for names with a word in them.
func (c commander) serve(zone, without string) string {
	c.t.Helper()
	var rrs []dns.RR
	p := dns.NewZoneParser(strings.NewReader(strings.ReplaceAll(zone, "\n; 1.", "\n1.")), "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if without == "" || !strings.Contains(rr.Header().Name, without) {
			rrs = append(rrs, rr)
		}
	}
	check(c.t, p.Err())
	return startNames(c.t, "", rrs...)
}

// TestADomainIsSetUp: what is printed is what the check wants, once a name server has it; and
// keys change for others without a moment at which what signs is not published.
func TestADomainIsSetUp(t *testing.T) {
	t.Parallel()
	c := commander{t, unpack(t, "domain")}
	check(t, os.Mkdir(filepath.Join(c.h.dir, "data"), 0o755))
	address := []string{"--address", "192.0.2.1", "--address", "2001:db8::1"}
	with := func(words string, more ...string) []string {
		return append(append(strings.Fields(words), more...), address...)
	}
	zone := c.ends(0, with("domain add sohu.test")...)

	c.ends(65, with("domain check sohu.test --dns", c.serve(zone, "_domainkey"))...)
	names := c.serve(zone, "")
	c.says(`^sohu\.test: 3 advice, 12 good$`, with("domain check sohu.test --dns", names)...)

	c.says("No rotation is under way", "dkim", "rotate", "sohu.test", "--continue", "--dns", names)
	c.says("New keys were made", "dkim", "rotate", "sohu.test", "--dns", names)
	c.says("The DNS does not have the new keys", "dkim", "rotate", "sohu.test", "--dns", names)
	names = c.serve(c.ends(0, with("domain dns sohu.test")...), "")
	c.says("The DNS has the new keys .*they sign from now on", "dkim", "rotate", "sohu.test", "--continue", "--dns", names)
	c.says("After .*--continue", "dkim", "rotate", "sohu.test", "--continue", "--dns", names)
	c.says(`^sohu\.test: 3 advice, 14 good$`, with("domain check sohu.test --dns", names)...)

	c.h.expire(t)
	c.says("Take these out of the DNS", "dkim", "rotate", "sohu.test", "--continue", "--dns", names)
	names = c.serve(c.ends(0, with("domain dns sohu.test")...), "")
	c.says("and so are now the keys", "dkim", "rotate", "sohu.test", "--continue", "--dns", names)
	c.says(`^sohu\.test: 3 advice, 12 good$`, with("domain check sohu.test --dns", names)...)
	if left, err := filepath.Glob(filepath.Join(c.h.dir, "data", "dkim", "sohu.test", "*.pem")); err != nil || len(left) != 2 {
		t.Errorf("there are the keys %q, %v", left, err)
	}
}

// expire lets the days pass for which the records of old keys stay.
func (h *house) expire(t *testing.T) {
	t.Helper()
	index := filepath.Join(h.dir, "data", "dkim", "sohu.test", "keys")
	text, err := os.ReadFile(index)
	check(t, err)
	past := regexp.MustCompile(`(?m) \S+$`).ReplaceAllStringFunc(string(text), func(drop string) string {
		if strings.Contains(drop, "T") {
			return " 2026-01-01T00:00:00Z"
		}
		return drop
	})
	write(t, index, past)
}
