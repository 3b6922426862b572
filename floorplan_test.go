package posthouse_test

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/posthouse/posthouse"

// floors is the plan of the house: the floor of each package, by its path in
// the module. A path that ends in "/*" stands for every package below it.
// A package imports only packages of lower floors.
var floors = map[string]int{
	"internal/sabotage": 0, // bugs that are planted for a test: nothing, without a build tag

	"internal/argv":      1,
	"internal/dns":       1,
	"internal/password":  1,
	"internal/plainfile": 1,
	"internal/service":   1,
	"message":            1,
	"senderauth":         1,
	"smtp":               1,

	"internal/authdns":  2,
	"internal/dmarcrpt": 2,
	"internal/letter":   2,
	"internal/mail":     2,
	"internal/tlsrpt":   2,
	"senderauth/arc":    2,
	"senderauth/dkim":   2,
	"senderauth/dmarc":  2,
	"senderauth/spf":    2,
	"senderauth/srs":    2,

	"internal/acme":          3,
	"internal/bearer":        3,
	"internal/dns/dnsclient": 3,
	"internal/idtoken":       3,
	"internal/publicweb":     3,
	"smtp/smtpclient":        3,
	"smtp/smtpserver":        3,

	"internal/config":    4,
	"internal/directory": 4,
	"internal/dkimkeys":  4,
	"internal/domainweb": 4,
	"internal/dsn":       4,
	"internal/event":     4,
	"internal/inbox":     4,
	"internal/maildrop":  4,
	"internal/policy":    4,
	"internal/queue":     4,
	"internal/route":     4,
	"internal/scenario":  4,
	"internal/session":   4,
	"internal/spool":     4,
	"internal/tlspolicy": 4,
	"internal/transport": 4,

	"internal/acme/shelf":           5,
	"internal/directory/dovecot":    5,
	"internal/directory/filedir":    5,
	"internal/directory/ldap":       5,
	"internal/directory/sql":        5,
	"internal/directory/userfile":   5,
	"internal/find":                 5,
	"internal/inbox/door":           5,
	"internal/login":                5,
	"internal/meter":                5,
	"internal/policy/dmarctally":    5,
	"internal/policy/dnsbl":         5,
	"internal/policy/greylist":      5,
	"internal/policy/milter":        5,
	"internal/policy/ratelimit":     5,
	"internal/policy/sender":        5,
	"internal/spool/memspool":       5,
	"internal/spool/pebblespool":    5,
	"internal/spool/pgspool":        5,
	"internal/spool/transfer":       5,
	"internal/tlspolicy/dane":       5,
	"internal/tlspolicy/mtasts":     5,
	"internal/tlspolicy/remembered": 5,
	"internal/tlspolicy/tally":      5,
	"internal/transport/discard":    5,
	"internal/transport/forward":    5,
	"internal/transport/inbox":      5,
	"internal/transport/lmtp":       5,
	"internal/transport/maildir":    5,
	"internal/transport/mbox":       5,
	"internal/transport/pipe":       5,
	"internal/transport/remote":     5,

	"internal/dispatch":    6,
	"internal/domainsetup": 6,
	"internal/intake":      6,

	"internal/admin":  7,
	"internal/cli":    7,
	"internal/daemon": 7,

	"internal/admin/client":   8,
	"internal/admin/inboxapi": 8,
	"internal/admin/web":      8,
	"posttest":                8,

	"internal/cli/*": 9,

	"cmd/posthouse": 10,
}

// workshop are the packages that only tests use; the floors do not bind them.
var workshop = map[string]bool{
	"internal/acme/acmetest":           true,
	"deploy/cluster":                   true,
	"deploy/systemd":                   true,
	"internal/admin/admintest":         true,
	"internal/browser":                 true,
	"internal/directory/directorytest": true,
	"internal/dns/dnstest":             true,
	"internal/e2e":                     true,
	"internal/e2e/cluster":             true,
	"internal/hostile":                 true,
	"internal/house":                   true,
	"internal/installed":               true,
	"internal/pgtest":                  true,
	"internal/simdisk":                 true,
	"internal/simnet":                  true,
	"internal/spool/spooltest":         true,
	"internal/tlspolicy/tlspolicytest": true,
	"internal/transcript":              true,
	"internal/transport/transporttest": true,
}

// TestFloorPlan holds the imports of every package against the plan.
// Tests (_test.go) may import what they like.
func TestFloorPlan(t *testing.T) {
	seen := map[string]bool{}
	for _, dir := range packageDirs(t) {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			continue // only tests, or files for another system
		}
		path := filepath.ToSlash(dir)
		if path == "." || workshop[path] {
			continue
		}
		floor, rule, ok := floorOf(path)
		if !ok {
			t.Errorf("package %s has no floor: add it to the plan", path)
			continue
		}
		seen[rule] = true
		for _, imp := range pkg.Imports {
			rel, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			below, _, ok := floorOf(rel)
			if !ok || workshop[rel] {
				t.Errorf("%s imports %s, which has no floor", path, rel)
			} else if below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): only lower floors may be imported", path, floor, rel, below)
			}
		}
	}
	for rule := range floors {
		if !seen[rule] && !strings.HasSuffix(rule, "/*") {
			t.Errorf("the plan names %s, which does not exist", rule)
		}
	}
}

// TestNoVagueNames keeps out the package names that say nothing.
func TestNoVagueNames(t *testing.T) {
	for _, dir := range packageDirs(t) {
		switch filepath.Base(dir) {
		case "util", "utils", "common", "types", "core", "helper", "helpers", "manager":
			t.Errorf("%s: the name does not say what the package is", dir)
		}
	}
}

func floorOf(path string) (floor int, rule string, ok bool) {
	if f, ok := floors[path]; ok {
		return f, path, true
	}
	for dir := path; dir != "."; dir = filepath.Dir(dir) {
		if f, ok := floors[dir+"/*"]; ok {
			return f, dir + "/*", true
		}
	}
	return 0, "", false
}

func packageDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		name := d.Name()
		if path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bench" || name == "docs") {
			return filepath.SkipDir
		}
		dirs = append(dirs, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
