package spf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth/spf"
)

// world is a DNS, and what is asked of it: what pyspf is given, too.
type world struct {
	Name    string
	Zone    map[string][]string // as in zone; octets above 127 are code points
	Queries []question
}

type question struct{ IP, Helo, From string }

// TestPyspf asks the same of pyspf (Debian: python3-spf), for the whole public suite and for records
// that are made at random: the verdict is the same, or the table says why not. It is skipped
// where pyspf is not installed, unless POSTHOUSE_TEST_ALL is set.
func TestPyspf(t *testing.T) {
	worlds := append(suiteWorlds(t), randomWorlds(500)...)
	theirs := askPyspf(t, worlds)
	same, explained := map[string]int{}, map[string]int{}
	for i, w := range worlds {
		for j, q := range w.Queries {
			ours, they := w.ask(q), theirs[i][j]
			switch why := w.explain(ours, they); {
			case ours == they:
				same[ours]++
			case why != "":
				explained[why]++
			default:
				t.Errorf("%s: %+v: we say %s, pyspf %s\n%s", w.Name, q, ours, they, w)
			}
		}
	}
	for _, verdict := range strings.Fields("none neutral pass fail softfail temperror permerror") {
		if same[verdict] == 0 {
			t.Errorf("no %s was among the answers", verdict)
		}
	}
	for _, d := range differences {
		if explained[d.rule] == 0 {
			t.Errorf("nothing differs any more by %s", d.rule)
		}
	}
	t.Logf("the same: %v; not the same: %v", same, explained)
}

// differences are the ways in which pyspf 2.0.14 answers something else, and what RFC 7208 says.
var differences = []struct {
	rule string
	they string // what pyspf says then
	zone *regexp.Regexp
}{
	{
		"4.6.2: what stands behind the mechanism that matches is not evaluated; pyspf takes an include of the own domain for an error of syntax",
		"permerror",
		regexp.MustCompile(`include:%\{d\}|TXT a\.test .*include:a\.|TXT b\.test .*include:b\.|TXT c\.test .*include:c\.`),
	},
	{
		"4.6.4: a term counts once among those that find nothing; pyspf counts the question for the name of %{p}, too",
		"permerror",
		regexp.MustCompile(`exists:%\{p\}`),
	},
}

// explain is the rule by which a difference may be, if there is one.
func (w world) explain(ours, they string) string {
	for _, d := range differences {
		if ours != they && d.they == they && d.zone.MatchString(w.String()) {
			return d.rule
		}
	}
	return ""
}

func (w world) ask(q question) string {
	z := zone{}
	for key, values := range w.Zone {
		z[key] = []string{}
		for _, v := range values {
			z.set(key, octets(v))
		}
	}
	return string(spf.Check(context.Background(), z, spf.Query{
		IP: netip.MustParseAddr(q.IP), Helo: q.Helo, MailFrom: q.From,
	}, spf.Options{}).Verdict)
}

// String is the zone as a person would read it.
func (w world) String() string {
	var lines []string
	for key, values := range w.Zone {
		lines = append(lines, fmt.Sprintf("  %s %q", key, values))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// suiteWorlds is the public suite, a world a case.
func suiteWorlds(t *testing.T) (all []world) {
	for _, s := range readSuite(t, "testdata/openspf/rfc7208-tests.yml") {
		z := map[string][]string{}
		for key, values := range s.zone(t) {
			z[key] = []string{}
			for _, v := range values {
				z[key] = append(z[key], points(v))
			}
		}
		for name, c := range s.Tests {
			all = append(all, world{name, z, []question{{c.Host, c.Helo, c.MailFrom}}})
		}
	}
	return all
}

// points are the octets of s as code points, which JSON can carry; octets turns them back.
func points(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

func octets(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// randomWorlds are zones of five domains whose policies name each other.
func randomWorlds(n int) (all []world) {
	r := rand.New(rand.NewPCG(7208, 0))
	for i := range n {
		w := world{Name: fmt.Sprintf("random %d", i), Zone: map[string][]string{"PTR 1.2.0.192.in-addr.arpa": {"d.test"}}}
		for _, d := range []string{"a.test", "b.test", "c.test"} {
			w.Zone["TXT "+d] = []string{randomRecord(r)}
		}
		w.Zone["A d.test"] = []string{"192.0.2.1"}
		w.Zone["AAAA d.test"] = []string{"2001:db8::1"}
		w.Zone["MX d.test"] = []string{"d.test", "e.test"}
		w.Zone["A e.test"] = []string{"198.51.100.1", "192.0.2.77"}
		for _, ip := range []string{"192.0.2.1", "198.51.100.1", "2001:db8::1"} {
			w.Queries = append(w.Queries, question{ip, "d.test", pick(r, "li@a.test", "", "b.test", "@c.test")})
		}
		all = append(all, w)
	}
	return all
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// randomRecord is a policy of up to five terms; some are wrong.
func randomRecord(r *rand.Rand) string {
	terms := []string{"v=spf1"}
	for range r.IntN(6) {
		terms = append(terms, randomTerm(r))
	}
	return strings.Join(terms, pick(r, " ", " ", "  "))
}

func randomTerm(r *rand.Rand) string {
	domain := func() string {
		return pick(r, "a.test", "b.test", "c.test", "d.test", "e.test", "d.test", "e.test", "no.test", "%{d}", "%{h}")
	}
	length := func() string {
		return pick(r, "", "", "", "", "/24", "/32", "/0", "//64", "/24//64", pick(r, "", "", "/33", "/"))
	}
	sign := pick(r, "", "", "+", "-", "~", "?")
	switch r.IntN(12) {
	case 0, 1:
		return sign + "include:" + domain()
	case 2:
		return sign + "a:" + domain() + length()
	case 3:
		return sign + "a" + length()
	case 4:
		return sign + "mx:" + domain() + length()
	case 5:
		return sign + "ptr:" + domain()
	case 6:
		return sign + "exists:" + pick(r, "%{i}.", "%{ir}.", "%{l1r-}.", "%{o}.", "%{p}.", "%{x}.", "%%.", "") + domain()
	case 7:
		return sign + "ip4:" + pick(r, "192.0.2.0/24", "192.0.2.1", "198.51.100.1/31", pick(r, "198.51.0.0/16", "192.0.2.256", "192.0.2.1/33", "1.2.3"))
	case 8:
		return sign + "ip6:" + pick(r, "2001:db8::/32", "2001:db8::1", "2001:db8::2/127", pick(r, "::ffff:192.0.2.1", "2001:db8::/129"))
	case 9:
		return "redirect=" + domain()
	case 10:
		return pick(r, "exp=e.test", "unknown=x", "a.b=%{d}", "exp=%{o}", "m=", "=x", "ip4", "all:x", "include", "+", "-unknown")
	}
	return sign + "all"
}

// askPyspf returns its verdicts, by world and query.
func askPyspf(t *testing.T, worlds []world) (verdicts [][]string) {
	input, err := json.Marshal(worlds)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", pyspf)
	cmd.Stdin = bytes.NewReader(input)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != 77 || err != nil && os.Getenv("POSTHOUSE_TEST_ALL") != "" {
		t.Fatal(err, said.String())
	} else if err != nil {
		t.Skip("python3-spf is not installed")
	}
	if err := json.Unmarshal(out, &verdicts); err != nil {
		t.Fatal(err)
	}
	return verdicts
}

// pyspf answers for the worlds that it reads.
const pyspf = `
import sys, json
try:
    import spf
except ImportError:
    sys.exit(77)

zone = {}

def lookup(name, kind, *_):
    name = name.lower().rstrip(".")
    found = [((name, "CNAME"), v) for v in zone.get("CNAME " + name, [])]
    for v in zone.get(kind + " " + name, []):
        if kind == "TXT":
            v = (v.encode("latin1"),)
        if kind == "MX":
            v = (10, v)
        found.append(((name, kind), v))
    if not found and "TIMEOUT " + name in zone:
        raise spf.TempError("DNS timeout")
    return found

spf.DNSLookup = lookup
verdicts = []
for world in json.load(sys.stdin):
    zone = world["Zone"]
    verdicts.append([spf.query(i=q["IP"], s=q["From"], h=q["Helo"]).check()[0] for q in world["Queries"]])
json.dump(verdicts, sys.stdout)
`
