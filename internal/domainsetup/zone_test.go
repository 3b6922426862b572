package domainsetup

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthouse/posthouse/internal/dkimkeys"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// whole is a domain with everything that it can have.
func whole(t *testing.T, domain string) *Setup {
	t.Helper()
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	key := func(file string, e dkimkeys.Entry) dkimkeys.Key {
		return dkimkeys.Key{Domain: domain, Entry: e, Signer: readKey(t, file)}
	}
	return &Setup{
		Domain: name(t, domain), Host: name(t, "mx.sohu.test"),
		Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Keys: []dkimkeys.Key{
			key("rsa.pem", dkimkeys.Entry{Selector: "rsa-20261101", From: hour(-500)}),
			key("ed25519.pem", dkimkeys.Entry{Selector: "ed25519-20261101", From: hour(-500)}),
			key("ed25519.pem", dkimkeys.Entry{Selector: "next"}),
			key("ed25519.pem", dkimkeys.Entry{Selector: "over", From: hour(-900), Until: hour(-500), Drop: hour(-1)}),
		},
		Certificates: []dns.TLSA{{Usage: 3, Selector: 1, Matching: 1, Data: bytes.Repeat([]byte{0xab}, 32)}},
		Submission:   587, Submissions: 465, IMAP: name(t, "imap.sohu.test"), Web: true, STS: mtasts.Enforce,
	}
}

func readKey(t *testing.T, file string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer)
}

func name(t *testing.T, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func zoneOf(t *testing.T, s *Setup) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteZone(&b, s.Domain, s.Records(noon)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestZone holds the zone of a domain whose host is in it, and of one whose host is not.
func TestZone(t *testing.T) {
	for _, domain := range []string{"sohu.test", "sina.test"} {
		got := zoneOf(t, whole(t, domain))
		golden := filepath.Join("testdata", domain+".zone")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("the zone of %s is (%v)\n%s", domain, err, got)
		}
	}
}

// TestZoneSaysWhatTheRecordsSay: another reader of zone files finds the same in it.
func TestZoneSaysWhatTheRecordsSay(t *testing.T) {
	s := whole(t, "sohu.test")
	s.Reports = `a\b"c;d@sohu.test`
	records := s.Records(noon)
	p := wire.NewZoneParser(strings.NewReader(zoneOf(t, s)), "", "")
	var i int
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		for i < len(records) && !records[i].Name.Within(s.Domain) {
			i++
		}
		r := records[i]
		i++
		if rr.Header().Name != r.Name.String()+"." || wire.TypeToString[rr.Header().Rrtype] != r.Type {
			t.Errorf("it reads %v, for %+v", rr, r)
		}
		txt, is := rr.(*wire.TXT)
		if !is {
			continue
		}
		for _, part := range txt.Txt {
			if len(part) > 255+10 { // with its escapes
				t.Errorf("a string of %d octets", len(part))
			}
		}
		if got := strings.ReplaceAll(strings.ReplaceAll(strings.Join(txt.Txt, ""), `\"`, `"`), `\\`, `\`); got != r.Value {
			t.Errorf("the text reads %q, want %q", got, r.Value)
		}
	}
	if err := p.Err(); err != nil || i != len(records) {
		t.Errorf("%d of %d records, %v", i, len(records), err)
	}
}

// TestNameServersReadTheZone has the tools of BIND and of NSD read it, with what every zone
// begins with.
func TestNameServersReadTheZone(t *testing.T) {
	for _, domain := range []string{"sohu.test", "sina.test"} {
		head := "$TTL 3600\n$ORIGIN " + domain + ".\n@ IN SOA ns hostmaster 1 7200 600 1209600 300\n@ IN NS ns\nns IN A 192.0.2.53\nimap IN A 192.0.2.2\n"
		file := filepath.Join(t.TempDir(), "zone")
		if err := os.WriteFile(file, []byte(head+zoneOf(t, whole(t, domain))), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, argv := range [][]string{
			{"named-checkzone", "-k", "fail", "-m", "fail", "-i", "none", "-S", "fail", domain, file},
			{"ldns-read-zone", file},
		} {
			path, err := exec.LookPath(argv[0])
			switch {
			case err != nil && os.Getenv("POSTHOUSE_TEST_ALL") != "":
				t.Errorf("%s is not installed, and POSTHOUSE_TEST_ALL is set", argv[0])
			case err != nil:
				t.Logf("%s is not installed", argv[0])
			default:
				if out, err := exec.Command(path, argv[1:]...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("ignoring")) {
					t.Errorf("%v: %v\n%s", argv, err, out)
				}
			}
		}
	}
}

// TestPolicyID: another policy has another id, of the form that RFC 8461, 3.1 wants.
func TestPolicyID(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range []*mtasts.Policy{
		NewPolicy(mtasts.Testing, name(t, "mx.sohu.test")),
		NewPolicy(mtasts.Enforce, name(t, "mx.sohu.test")),
		NewPolicy(mtasts.Enforce, name(t, "mx.sina.test")),
	} {
		id := PolicyID(p)
		if seen[id] || mtasts.ParseRecord([]string{"v=STSv1; id=" + id}) != id {
			t.Errorf("the id %q", id)
		}
		seen[id] = true
		if again, err := mtasts.ParsePolicy(p.String()); err != nil || PolicyID(&again) != id {
			t.Errorf("%v reads as %v, %v", p, again, err)
		}
	}
}
