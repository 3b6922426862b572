package dmarc_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dmarc"
)

// zone is a DNS: records by name without final dot; "down" is a server that does
// not answer. It counts the questions.
type zone struct {
	txt   map[string][]string
	hosts map[string]bool
	asked int
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.asked++
	txt := z.txt[strings.TrimSuffix(name, ".")]
	switch {
	case len(txt) == 0:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case txt[0] == "down":
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true}
	}
	return txt, nil
}

func (z *zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	z.asked++
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z *zone) LookupNetIP(_ context.Context, network, name string) ([]netip.Addr, error) {
	z.asked++
	if network == "ip6" && z.hosts[strings.TrimSuffix(name, ".")] {
		return []netip.Addr{netip.IPv6Unspecified()}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z *zone) LookupAddr(context.Context, string) ([]string, error) { panic("not asked") }

var records = map[string]string{
	"example.org":          "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@example.org",
	"strict.example":       "v=DMARC1;p=quarantine;adkim=s;aspf=s",
	"testing.example":      "v=DMARC1; p=reject; t=y",
	"half.example":         "v=DMARC1; p=reject; pct=50",
	"own.example.org":      "v=DMARC1; p=none; psd=n",
	"bank":                 "v=DMARC1; p=reject; sp=reject; psd=y",
	"com":                  "v=DMARC1; p=reject",
	"a.com":                "v=DMARC1; p=reject",
	"broken.example.org":   "v=DMARC1; p=rejct",
	"club":                 "v=DMARC1; psd=y",
	"down.example":         "down",
	"a.b.c.d.e.f.g.h.deep": "v=DMARC1; p=none",
	"d.e.f.g.h.deep":       "v=DMARC1; p=quarantine",
}

func newZone() *zone {
	z := &zone{txt: map[string][]string{}, hosts: map[string]bool{"there.example.org": true}}
	for domain, txt := range records {
		z.txt["_dmarc."+domain] = []string{txt}
	}
	z.txt["_dmarc.twice.example"] = []string{"v=DMARC1; p=reject", "v=DMARC1; p=none"}
	return z
}

func header(from ...string) (h message.Header) {
	for _, f := range from {
		h = append(h, message.RawField("From: "+f+"\r\n"))
	}
	return h
}

// identifiers reads "spf:example.org dkim:a.example.net?"; the question mark is
// a TempError.
func identifiers(s string) (all []dmarc.Identifier) {
	for word := range strings.FieldsSeq(s) {
		method, domain, _ := strings.Cut(word, ":")
		id := dmarc.Identifier{Method: method, Domain: strings.TrimSuffix(domain, "?"), Verdict: senderauth.Pass}
		if strings.HasSuffix(domain, "?") {
			id.Verdict = senderauth.TempError
		}
		all = append(all, id)
	}
	return all
}

// TestCheck reads: who wrote, who was authenticated, what comes of it.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ from, proved, want string }{
		// Alignment.
		{"jo@example.org", "spf:example.org", "pass none at example.org"},
		{"jo@example.org", "dkim:mail.example.org", "pass none at example.org"},
		{"jo@there.example.org", "dkim:example.org", "pass none at example.org"},
		{"jo@there.example.org", "dkim:mail.example.org", "pass none at example.org"},
		{"jo@EXAMPLE.org", "dkim:Example.ORG.", "pass none at example.org"},
		{"jo@example.org", "spf:example.net dkim:evilexample.org", "fail reject at example.org"},
		{"jo@example.org", "dkim:org", "fail reject at example.org"},
		{"jo@example.org", "", "fail reject at example.org"},
		{"jo@strict.example", "spf:a.strict.example dkim:a.strict.example", "fail quarantine at strict.example"},
		{"jo@strict.example", "dkim:strict.example", "pass none at strict.example"},
		// An organizational domain below another one (psd=n).
		{"jo@own.example.org", "dkim:example.org", "fail none at own.example.org"},
		{"jo@example.org", "dkim:a.own.example.org", "fail reject at example.org"},
		{"jo@x.own.example.org", "dkim:y.own.example.org", "pass none at own.example.org"},
		// Which policy.
		{"jo@there.example.org", "", "fail quarantine at example.org"},
		{"jo@nowhere.example.org", "", "fail reject at example.org"},
		{"jo@testing.example", "", "fail quarantine at testing.example"},
		{"jo@half.example", "", "fail reject at half.example"},
		{"jo@nothing.example", "dkim:nothing.example", "none none at "},
		{"jo@twice.example", "", "none none at "},
		// A public suffix that speaks for what is below it.
		{"jo@a.bank", "", "fail reject at bank"},
		{"jo@x.a.bank", "dkim:y.a.bank", "pass none at bank"},
		{"jo@a.bank", "dkim:b.bank", "fail reject at bank"},
		{"jo@bank", "dkim:bank", "pass none at bank"},
		// One that says nothing but that it is one.
		{"jo@a.club", "dkim:b.club", "fail none at club"},
		// A record that makes no sense ends the search (4.10.1), and is no organization (4.10.2).
		{"jo@broken.example.org", "", "none none at "},
		{"jo@x.broken.example.org", "dkim:example.org", "pass none at example.org"},
		// A top-level domain that does not call itself one makes no family of all.
		{"jo@a.com", "dkim:b.com", "fail reject at a.com"},
		{"jo@c.com", "dkim:b.com", "fail reject at com"},
		{"jo@x.c.com", "dkim:y.c.com", "pass none at com"},
		// Long names are walked in eight steps.
		{"jo@x.y.z.a.b.c.d.e.f.g.h.deep", "", "fail quarantine at d.e.f.g.h.deep"},
		// The DNS.
		{"jo@down.example", "dkim:down.example", "temperror none at "},
		{"jo@a.down.example", "", "temperror none at "},
		{"jo@example.org", "spf:example.org? dkim:example.net", "temperror none at example.org"},
		{"jo@example.org", "spf:example.net?", "fail reject at example.org"},
		{"jo@example.org", "spf:example.org? dkim:example.org", "pass none at example.org"},
		// Several authors: the one that fares worst.
		{"a@strict.example, b@example.org", "dkim:strict.example", "fail reject at example.org"},
		{"b@example.org, a@strict.example", "dkim:strict.example dkim:example.org", "pass none at example.org"},
		{"a@nothing.example, b@example.org", "", "fail reject at example.org"},
		{"Team: a@example.org, b@example.org;", "dkim:example.org", "pass none at example.org"},
		// Names that are only for people.
		{`"ceo@example.org" <x@nothing.example>`, "", "none none at "},
		{"=?utf-8?q?ceo=40nothing.example?= <x@example.org>", "", "fail reject at example.org"},
		{"x@b\u00fccher.example", "", "none none at "},
		// What is no author.
		{"", "", "permerror none at "},
		{"undisclosed:;", "", "permerror none at "},
		{"jo@[192.0.2.1]", "", "permerror none at "},
		{"jo", "", "permerror none at "},
		{"a@1.example,b@2.example,c@3.example,d@4.example,e@5.example,f@6.example,g@7.example,h@8.example,i@9.example", "", "permerror none at "},
	} {
		z := newZone()
		res := dmarc.Check(context.Background(), z, header(c.from), identifiers(c.proved), dmarc.Options{})
		if got := fmt.Sprintf("%s %s at %s", res.Verdict, res.Disposition, res.PolicyDomain); got != c.want {
			t.Errorf("from %s, proved %q: got %s (%v), want %s", c.from, c.proved, got, res.Err, c.want)
		}
		if z.asked > 8*8+3 {
			t.Errorf("from %s: asked %d questions", c.from, z.asked)
		}
	}
}

// TestTheWalk has the example of RFC 9989, 4.10: which names are asked for.
func TestTheWalk(t *testing.T) {
	z := &asking{zone: newZone()}
	dmarc.Check(context.Background(), z, header("x@a.b.c.d.e.f.g.h.i.j.mail.example.com"), nil, dmarc.Options{})
	want := "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com " +
		"j.mail.example.com mail.example.com example.com com"
	if got := strings.ReplaceAll(strings.Join(z.names, " "), "_dmarc.", ""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// asking notes the names that are asked for.
type asking struct {
	*zone
	names []string
}

func (a *asking) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a.names = append(a.names, strings.TrimSuffix(name, "."))
	return a.zone.LookupTXT(ctx, name)
}

func TestOrganizations(t *testing.T) {
	for author, want := range map[string]string{
		"example.org": "example.org", "a.b.example.org": "example.org", "x.own.example.org": "own.example.org",
		"bank": "bank", "a.bank": "a.bank", "x.y.a.bank": "a.bank", "com": "com", "x.c.com": "c.com",
		"a.nothing.example": "a.nothing.example",
	} {
		if res := dmarc.Check(context.Background(), newZone(), header("jo@"+author), nil, dmarc.Options{}); res.Organization != want {
			t.Errorf("%s belongs to %s, not %s", author, res.Organization, want)
		}
	}
}

func TestSeveralFromFields(t *testing.T) {
	res := dmarc.Check(context.Background(), newZone(), header("a@example.org", "b@example.net"), nil, dmarc.Options{})
	if res.Verdict != senderauth.PermError || !errors.Is(res.Err, dmarc.ErrTwoFrom) {
		t.Errorf("%+v", res)
	}
	if res := dmarc.Check(context.Background(), newZone(), nil, nil, dmarc.Options{}); !errors.Is(res.Err, dmarc.ErrNoAuthor) {
		t.Errorf("%+v", res)
	}
}

func TestSampling(t *testing.T) {
	for roll, want := range map[int]dmarc.Policy{0: dmarc.Reject, 49: dmarc.Reject, 50: dmarc.Quarantine, 99: dmarc.Quarantine} {
		o := dmarc.Options{Sample: func(int) int { return roll }}
		if res := dmarc.Check(context.Background(), newZone(), header("a@half.example"), nil, o); res.Disposition != want {
			t.Errorf("%d: %s", roll, res.Disposition)
		}
	}
}

func TestPublicSuffixList(t *testing.T) {
	z := newZone()
	z.txt["_dmarc.example.co.uk"] = []string{"v=DMARC1; p=reject"}
	for proved, want := range map[string]senderauth.Verdict{
		"dkim:mail.example.co.uk": senderauth.Pass, "dkim:co.uk": senderauth.Fail, "dkim:other.co.uk": senderauth.Fail,
	} {
		res := dmarc.Check(context.Background(), z, header("a@news.example.co.uk"), identifiers(proved), dmarc.Options{PublicSuffixList: true})
		if res.Verdict != want || res.Organization != "example.co.uk" {
			t.Errorf("%s: %+v", proved, res)
		}
	}
}

func TestOrganization(t *testing.T) {
	for domain, want := range map[string]string{
		"x.there.example.org": "example.org", "a.own.example.org": "own.example.org", "x.a.bank": "a.bank", "x.a.com": "a.com",
		"nothing.example": "nothing.example", "MAIL.Example.ORG.": "example.org",
	} {
		if got, err := dmarc.Organization(context.Background(), newZone(), domain); got != want || err != nil {
			t.Errorf("%s: %s, %v", domain, got, err)
		}
	}
	for _, domain := range []string{"a.down.example", "no domain"} {
		if got, err := dmarc.Organization(context.Background(), newZone(), domain); err == nil {
			t.Errorf("%s: %s", domain, got)
		}
	}
}

func TestParseRecord(t *testing.T) {
	minimal := dmarc.Record{Policy: "none", Subdomains: "none", Nonexistent: "none", Options: "0", Percent: 100, Suffix: "u"}
	with := func(change func(*dmarc.Record)) *dmarc.Record {
		r := minimal
		change(&r)
		return &r
	}
	for txt, want := range map[string]*dmarc.Record{
		"v=DMARC1; p=none":                                  &minimal,
		"v = DMARC1 ;p = NONE ; ":                           &minimal,
		"v=DMARC1; p=none; x=y; adkim=q; pct=101; t=; fo=z": &minimal,
		"v=DMARC1; p=none; p=reject":                        &minimal,
		"v=DMARC1; sp=none; p=reject; np=quarantine; aspf=s; psd=y; fo=1:d": with(func(r *dmarc.Record) {
			r.Policy, r.Nonexistent, r.StrictSPF, r.Suffix, r.Options = "reject", "quarantine", true, "y", "1:d"
		}),
		"v=DMARC1; p=rejct; rua=mailto:a@b.example, x\r\n:y ,https://c.example/": with(func(r *dmarc.Record) {
			r.Aggregate = []string{"mailto:a@b.example", "https://c.example/"}
		}),
		"v=DMARC1": &minimal,
		"v=DMARC1; sp=reject; psd=y": with(func(r *dmarc.Record) {
			r.Subdomains, r.Nonexistent, r.Suffix = "reject", "reject", "y"
		}),
		"v=DMARC1; p=rejct":          with(func(r *dmarc.Record) { r.Policy = "" }),
		"v=DMARC1; p=none; np=rejct": with(func(r *dmarc.Record) { r.Policy = "" }),
		"v=DMARC10; p=none":          nil,
		"v=dmarc1; p=none":           nil,
		"p=none; v=DMARC1":           nil,
		"v=spf1 -all":                nil,
		"v=DMARC1; p=none; x=" + strings.Repeat("y", 1<<15): nil,
	} {
		got, ok := dmarc.ParseRecord(txt)
		if ok != (want != nil) || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%.80s: got %+v, want %+v", txt, got, want)
		}
	}
}

// FuzzCheck looks for records, authors and signers that make a check panic, ask
// too much, or pass without alignment.
func FuzzCheck(f *testing.F) {
	for _, domain := range []string{"example.org", "bank", "own.example.org"} {
		f.Add("jo@a."+domain, "b."+domain, records[domain], records["example.org"])
	}
	f.Add("a@b, c@d; x: y@z;", ".", "v=DMARC1; p=reject; psd=y", "v=DMARC1; p=none; psd=n")
	f.Fuzz(func(t *testing.T, from, signer, lower, upper string) {
		z := newZone()
		maps.Copy(z.txt, map[string][]string{"_dmarc.a.example.org": {lower}, "_dmarc.example.org": {upper}, "_dmarc.org": {lower}})
		res := dmarc.Check(context.Background(), z, header(from), []dmarc.Identifier{{Method: "dkim", Domain: signer, Verdict: senderauth.Pass}}, dmarc.Options{})
		if res.Verdict == senderauth.Pass {
			top := strings.Split(res.Domain, ".")
			if !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(res.Aligned.Domain, ".")), top[len(top)-1]) && strings.IndexFunc(signer, func(r rune) bool { return r >= 0x80 }) < 0 {
				t.Errorf("%+v", res)
			}
		}
		if res.Verdict == "" || res.Disposition == "" || z.asked > 9*8*2+3*8 {
			t.Errorf("%d questions: %+v", z.asked, res)
		}
	})
}

// A server asks when it has the header and what SPF and DKIM said of the
// message. In place of the zone stands net.DefaultResolver, or a resolver that
// caches.
func Example() {
	dns := &zone{txt: map[string][]string{"_dmarc.example.org": {"v=DMARC1; p=reject"}}}
	header := message.Header{message.RawField("From: Jo <jo@news.example.org>\r\n")}
	res := dmarc.Check(context.Background(), dns, header, []dmarc.Identifier{
		{Method: "spf", Domain: "bounces.example.net", Verdict: senderauth.Pass},
		{Method: "dkim", Domain: "mail.example.org", Verdict: senderauth.Fail},
	}, dmarc.Options{})
	switch {
	case res.Verdict == senderauth.TempError:
		fmt.Println("451 4.7.0 ask again later:", res.Err)
	case res.Disposition == dmarc.Reject:
		fmt.Printf("550 5.7.26 nothing proves that this is from %s, and %s wants such mail rejected\n", res.Domain, res.PolicyDomain)
	case res.Disposition == dmarc.Quarantine:
		fmt.Println("to Junk")
	}
	// Output: 550 5.7.26 nothing proves that this is from news.example.org, and example.org wants such mail rejected
}
