package dkim_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// zone is a DNS of TXT records by name without final dot; a nil slice is a name
// whose server does not answer. It counts the questions.
type zone struct {
	txt   map[string][]string
	asked int
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.asked++
	txt, ok := z.txt[strings.TrimSuffix(name, ".")]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if txt == nil {
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true}
	}
	return txt, nil
}

func (z *zone) LookupMX(context.Context, string) ([]*net.MX, error) { panic("not asked") }

func (z *zone) LookupAddr(context.Context, string) ([]string, error) { panic("not asked") }

func (z *zone) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { panic("not asked") }

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verify(t testing.TB, z *zone, msg []byte) []dkim.Result {
	t.Helper()
	all, err := dkim.Verify(context.Background(), z, bytes.NewReader(msg), dkim.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const rfcKey = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" +
	"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

// TestVectors verifies the signed messages of the RFCs.
func TestVectors(t *testing.T) {
	z := &zone{txt: map[string][]string{
		"brisbane._domainkey.football.example.com": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
		"test._domainkey.football.example.com":     {"v=DKIM1; k=rsa; p=" + rfcKey},
		"brisbane._domainkey.example.com": {"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
			"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"},
	}}
	for file, domains := range map[string][]string{
		"rfc8463.eml": {"football.example.com", "football.example.com"},
		"rfc6376.eml": {"example.com"},
	} {
		results := verify(t, z, read(t, file))
		if len(results) != len(domains) {
			t.Fatalf("%s: %d results", file, len(results))
		}
		for i, res := range results {
			if res.Verdict != senderauth.Pass || res.Domain != domains[i] {
				t.Errorf("%s: %+v", file, res)
			}
		}
	}
}

type keyring struct {
	rsa *rsa.PrivateKey
	ed  ed25519.PrivateKey
	dns *zone
}

func newKeyring(t testing.TB) *keyring {
	t.Helper()
	k := &keyring{dns: &zone{txt: map[string][]string{}}}
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		t.Fatal(err)
	}
	if _, k.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	k.publish(t, "rsa", k.rsa)
	k.publish(t, "ed", k.ed)
	return k
}

func (k *keyring) publish(t testing.TB, selector string, key crypto.Signer) {
	txt, err := senderauth.FormatKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	k.dns.txt[selector+"._domainkey.example.org"] = []string{txt}
}

func (k *keyring) both() []dkim.Key {
	return []dkim.Key{
		{Domain: "example.org", Selector: "rsa", Signer: k.rsa},
		{Domain: "example.org", Selector: "ed", Signer: k.ed, SimpleHeader: true, SimpleBody: true},
	}
}

const letter = "Received: from a by b;\r\n\tFri, 11 Jul 2003 21:01:54 -0700\r\n" +
	"From: Jo <jo@example.org>\r\nTo: al@example.com\r\nSubject: =?utf-8?q?=C3=A9?=\r\n folded\r\n" +
	"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\nList-Id: <l.example.org>\r\n\r\n" +
	"Hello  there \r\n\r\n.\r\nend\r\n\r\n\r\n"

func sign(t testing.TB, msg string, keys ...dkim.Key) []byte {
	t.Helper()
	fields, err := dkim.Sign(strings.NewReader(msg), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return append(fields, msg...)
}

func TestSignThenVerify(t *testing.T) {
	k := newKeyring(t)
	signed := sign(t, letter, k.both()...)
	for _, res := range verify(t, k.dns, signed) {
		if res.Verdict != senderauth.Pass || res.Domain != "example.org" || len(res.Tag) != 8 {
			t.Errorf("%+v", res)
		}
	}
	for line := range strings.SplitSeq(string(signed), "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
	}
}

// TestAnyChangeFails changes each octet of what is signed in turn.
func TestAnyChangeFails(t *testing.T) {
	k := newKeyring(t)
	signed := sign(t, letter, k.both()[1])
	unsigned := strings.Index(string(signed), "Received:")
	from := strings.Index(string(signed), "From: Jo")
	for i := range signed {
		if i < len("DKIM-Signature") || i >= unsigned && i < from || i >= len(signed)-4 {
			continue // no signature any more, a field that is not signed, empty lines at the end
		}
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		for _, res := range verify(t, k.dns, changed) {
			if res.Verdict == senderauth.Pass && !isFreeInTag(signed, i) {
				t.Fatalf("octet %d of %q may be changed", i, signed[:i+1])
			}
		}
	}
}

// isFreeInTag reports whether octet i is folding inside b=, which is not signed.
func isFreeInTag(msg []byte, i int) bool {
	b := bytes.LastIndex(msg[:i+1], []byte(" b="))
	return b > 0 && i < bytes.Index(msg, []byte("Received:")) && bytes.IndexByte([]byte(" \t\r\n"), msg[i]) >= 0
}

// TestAddedFieldFails adds another field of each kind that people see.
func TestAddedFieldFails(t *testing.T) {
	k := newKeyring(t)
	signed := sign(t, letter, k.both()...)
	for _, name := range []string{"From", "from", "FROM ", "Subject", "Date", "To", "Cc", "Reply-To", "Content-Type", "MIME-Version", "List-Id", "Message-ID"} {
		for at, msg := range map[string][]byte{
			"top":    append([]byte(name+": evil\r\n"), signed...),
			"bottom": bytes.Replace(signed, []byte("\r\n\r\n"), []byte("\r\n"+name+": evil\r\n\r\n"), 1),
		} {
			for _, res := range verify(t, k.dns, msg) {
				if res.Verdict != senderauth.Fail {
					t.Errorf("%s at %s: %+v", name, at, res)
				}
			}
		}
	}
}

// TestAnyMessageAndAnyPieces signs and verifies what rapid thinks of.
func TestAnyMessageAndAnyPieces(t *testing.T) {
	k := newKeyring(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOf(rapid.SampledFrom([]rune("ab \t.:=;\u00e9")))
		body := rapid.SliceOf(rapid.SampledFrom([]string{"\r\n", "\r", "\n", " ", "\t", "a", "Hello", ".", "\x00", "=20"}))
		msg := "From: " + word.Draw(t, "from") + "\r\nSubject:" + word.Draw(t, "subject") + "\r\n\r\n" + strings.Join(body.Draw(t, "body"), "")
		keys := k.both()[:1]
		keys[0].SimpleHeader, keys[0].SimpleBody = rapid.Bool().Draw(t, "header"), rapid.Bool().Draw(t, "bodyform")
		fields, err := dkim.Sign(iotest.OneByteReader(strings.NewReader(msg)), keys...)
		if err != nil {
			t.Fatal(err)
		}
		all, err := dkim.Verify(context.Background(), k.dns, strings.NewReader(string(fields)+msg), dkim.VerifyOptions{})
		if err != nil || len(all) != 1 || all[0].Verdict != senderauth.Pass {
			t.Fatalf("%v, %+v", err, all)
		}
	})
}

func TestRelaxedSurvivesWhiteSpace(t *testing.T) {
	k := newKeyring(t)
	signed := string(sign(t, letter, k.both()[0]))
	for _, change := range []*strings.Replacer{
		strings.NewReplacer("Subject: ", "SUBJECT:\t "),
		strings.NewReplacer("Hello  there \r\n", "Hello\tthere\r\n"),
		strings.NewReplacer("end\r\n\r\n\r\n", "end\r\n"),
		strings.NewReplacer("end\r\n\r\n\r\n", "end"),
	} {
		if changed := change.Replace(signed); changed == signed || verify(t, k.dns, []byte(changed))[0].Verdict != senderauth.Pass {
			t.Errorf("fails: %q", changed)
		}
	}
}

// TestHostileSignatures holds each trick against the verdict that it deserves.
func TestHostileSignatures(t *testing.T) {
	k := newKeyring(t)
	signed := string(sign(t, letter, k.both()[0]))
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k.dns.txt["down._domainkey.example.org"] = nil
	k.dns.txt["revoked._domainkey.example.org"] = []string{"v=DKIM1; p="}
	k.dns.txt["other._domainkey.example.org"] = []string{"v=DKIM1; h=sha1; p=" + rfcKey}
	k.dns.txt["web._domainkey.example.org"] = []string{"v=DKIM1; s=web; p=" + rfcKey}
	k.dns.txt["bomb._domainkey.example.org"] = []string{"v=DKIM1; p=" + strings.Repeat("A", 1<<20)}
	k.publish(t, "big", big)
	for name, c := range map[string]struct {
		from, to string
		verdict  senderauth.Verdict
	}{
		"another key":           {"s=rsa", "s=big", senderauth.Fail},
		"key of another kind":   {"s=rsa", "s=ed", senderauth.PermError},
		"no key":                {"s=rsa", "s=none", senderauth.PermError},
		"revoked key":           {"s=rsa", "s=revoked", senderauth.PermError},
		"key for sha1":          {"s=rsa", "s=other", senderauth.PermError},
		"key for the web":       {"s=rsa", "s=web", senderauth.PermError},
		"a TXT bomb":            {"s=rsa", "s=bomb", senderauth.PermError},
		"the DNS is down":       {"s=rsa", "s=down", senderauth.TempError},
		"rsa-sha1":              {"a=rsa-sha256", "a=rsa-sha1", senderauth.PermError},
		"version 2":             {"v=1", "v=2", senderauth.PermError},
		"no version":            {"v=1;", "", senderauth.PermError},
		"tag twice":             {"v=1;", "v=1; d=example.com;", senderauth.PermError},
		"From not signed":       {"From:From:", "", senderauth.PermError},
		"identity elsewhere":    {"v=1;", "v=1; i=@evil.example;", senderauth.PermError},
		"identity beside":       {"v=1;", "v=1; i=@evilexample.org;", senderauth.PermError},
		"identity without @":    {"v=1;", "v=1; i=example.org;", senderauth.PermError},
		"expired":               {"v=1;", "v=1; x=1;", senderauth.PermError},
		"l= of nothing":         {"v=1;", "v=1; l=0;", senderauth.Policy},
		"l= too long":           {"v=1;", "v=1; l=999;", senderauth.Fail},
		"l= no number":          {"v=1;", "v=1; l=-1;", senderauth.PermError},
		"a body form of ours":   {"c=relaxed/relaxed", "c=relaxed/nofws", senderauth.PermError},
		"a query of the future": {"v=1;", "v=1; q=dns/dkim2;", senderauth.PermError},
		"a domain that is none": {"d=example.org", "d=../etc", senderauth.PermError},
		"a top-level domain":    {"d=example.org", "d=org", senderauth.PermError},
		"a line end in it":      {"d=example.org", "d=example.\r\n org", senderauth.PermError},
	} {
		t.Run(name, func(t *testing.T) {
			msg := strings.Replace(signed, c.from, c.to, 1)
			if msg == signed {
				t.Fatal("nothing was changed")
			}
			if res := verify(t, k.dns, []byte(msg))[0]; res.Verdict != c.verdict || res.Err == nil {
				t.Errorf("got %s (%v), want %s", res.Verdict, res.Err, c.verdict)
			}
		})
	}
}

// TestFlagsOfAKey checks t=s, which forbids an i= below d=, and t=y.
func TestFlagsOfAKey(t *testing.T) {
	k := newKeyring(t)
	signed := string(sign(t, letter, k.both()[0]))
	below := strings.Replace(signed, "v=1;", "v=1; i=@a.example.org;", 1)
	k.dns.txt["rsa._domainkey.example.org"][0] += "; t=y:s"
	if res := verify(t, k.dns, []byte(below))[0]; res.Verdict != senderauth.PermError || !res.Testing {
		t.Errorf("%+v", res)
	}
	if res := verify(t, k.dns, []byte(signed))[0]; res.Verdict != senderauth.Pass || !res.Testing {
		t.Errorf("%+v", res)
	}
}

// TestPartialBodyIsNeverTrusted signs with an l= that a verifier by the letter
// would take.
func TestPartialBodyIsNeverTrusted(t *testing.T) {
	k := newKeyring(t)
	h, body, _ := message.ReadHeader(strings.NewReader(letter), message.HeaderLimits{})
	b := senderauth.Body{}
	b.Want(senderauth.Simple)
	var text bytes.Buffer
	text.ReadFrom(body)
	b.Write(text.Bytes())
	sum, n := b.Sum(senderauth.Simple)
	for length, want := range map[string]senderauth.Verdict{"whole": senderauth.Pass, "more": senderauth.Policy} {
		msg := letter
		if length == "more" {
			msg += "<a href=evil>\r\n"
		}
		field, err := senderauth.SignField(k.ed, senderauth.Simple, h, []string{"From"}, "DKIM-Signature", senderauth.TagList{
			{Name: "v", Value: "1"},
			{Name: "a", Value: "ed25519-sha256"},
			{Name: "d", Value: "example.org"},
			{Name: "s", Value: "ed"},
			{Name: "h", Value: "From"},
			{Name: "l", Value: itoa(n)},
			{Name: "bh", Value: base64Of(sum)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if res := verify(t, k.dns, append(field, msg...))[0]; res.Verdict != want {
			t.Errorf("%s: %+v", length, res)
		}
	}
}

func TestTooManySignatures(t *testing.T) {
	k := newKeyring(t)
	signed := sign(t, letter, k.both()[0])
	field := signed[:bytes.Index(signed, []byte("Received:"))]
	msg := append(bytes.Repeat(field, 900), letter...)
	start := time.Now()
	all := verify(t, k.dns, msg)
	if len(all) != 9 || all[8].Verdict != senderauth.Policy || all[8].Err.Error() != "892 more signatures were not looked at" {
		t.Errorf("%d results, last %+v", len(all), all[len(all)-1])
	}
	if k.dns.asked != 1 || time.Since(start) > 5*time.Second {
		t.Errorf("asked %d questions in %v", k.dns.asked, time.Since(start))
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	k := newKeyring(t)
	if _, err := dkim.Sign(strings.NewReader("To: a@b.example\r\n\r\n"), k.both()...); !errors.Is(err, dkim.ErrNoFrom) {
		t.Error(err)
	}
	for _, key := range []dkim.Key{
		{},
		{Domain: "example.org", Selector: "a; d=evil.example", Signer: k.ed},
		{Domain: "example.org\r\nBcc: x", Selector: "a", Signer: k.ed},
	} {
		if _, err := dkim.Sign(strings.NewReader(letter), key); err == nil {
			t.Errorf("%+v was taken", key)
		}
	}
}

// FuzzVerify looks for signature fields, bodies and key records that make
// a verifier panic, or pass without a signature.
func FuzzVerify(f *testing.F) {
	f.Add("v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=rsa; h=from:to; l=3; t=1; x=2; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA", "body\r\n", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add("v=1; a=ed25519-sha256; d=example.org; i=@a.example.org; s=rsa; q=dns/txt; h=From; bh=; b=", "", "p="+rfcKey)
	f.Add(" \r\n\t;;", "\r\n\r\n", "v=DKIM1; t=y:s; h=sha256; s=*; p=")
	f.Fuzz(func(t *testing.T, value, body, key string) {
		z := &zone{txt: map[string][]string{"rsa._domainkey.example.org": {key}}}
		h := message.Header{message.RawField("DKIM-Signature: " + value + "\r\n"), message.RawField("From: a@example.org\r\n")}
		v := dkim.NewVerifier(h, dkim.VerifyOptions{})
		v.Write([]byte(body))
		for _, res := range v.Results(context.Background(), z) {
			if res.Verdict == senderauth.Pass || res.Err == nil {
				t.Errorf("%+v", res)
			}
		}
	})
}

// Benchmark verifies and signs a letter of 40 KB, with one signature.
func Benchmark(b *testing.B) {
	k := newKeyring(b)
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	k.publish(b, "big", big)
	msg := letter + strings.Repeat("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.\r\n", 540)
	for name, key := range map[string]dkim.Key{
		"rsa-2048": {Domain: "example.org", Selector: "big", Signer: big},
		"ed25519":  {Domain: "example.org", Selector: "ed", Signer: k.ed},
	} {
		signed := sign(b, msg, key)
		b.Run("verify/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(signed)))
			for b.Loop() {
				if verify(b, k.dns, signed)[0].Verdict != senderauth.Pass {
					b.Fatal("no pass")
				}
			}
		})
		b.Run("sign/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				sign(b, msg, key)
			}
		})
	}
}
