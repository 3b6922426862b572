package arc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/arc"
)

// zone is a DNS of TXT records by name without final dot; "down" is a server that
// does not answer. It counts the questions.
type zone struct {
	txt   map[string]string
	asked int
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.asked++
	switch txt := z.txt[strings.TrimSuffix(name, ".")]; txt {
	case "":
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case "down":
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true}
	default:
		return []string{txt}, nil
	}
}

func (z *zone) LookupMX(context.Context, string) ([]*net.MX, error) { panic("not asked") }

func (z *zone) LookupAddr(context.Context, string) ([]string, error) { panic("not asked") }

func (z *zone) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { panic("not asked") }

// world has sealers and the DNS that publishes their keys.
type world struct {
	dns *zone
	rsa *rsa.PrivateKey
}

func newWorld(t testing.TB) *world {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return &world{dns: &zone{txt: map[string]string{}}, rsa: key}
}

// key publishes a key and returns it.
func (w *world) key(t testing.TB, domain string, k crypto.Signer) arc.Key {
	txt, err := senderauth.FormatKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.dns.txt["s._domainkey."+domain] = txt
	return arc.Key{Domain: domain, Selector: "s", Signer: k}
}

func (w *world) verify(t testing.TB, msg string) arc.Result {
	t.Helper()
	res, err := arc.Verify(context.Background(), w.dns, strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// forward verifies, changes and seals a message, as a mailing list does.
func (w *world) forward(t testing.TB, msg string, key arc.Key, change func(string) string) string {
	t.Helper()
	chain := w.verify(t, msg)
	if change != nil {
		msg = change(msg)
	}
	h, body, _ := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
	s, err := arc.NewSealer(h, chain, saw(key.Domain), key)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	text.ReadFrom(body)
	s.Write(text.Bytes())
	fields, err := s.Fields()
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + msg
}

func saw(id string) senderauth.Results {
	return senderauth.Results{ID: id, Methods: []senderauth.MethodResult{
		{Method: "dmarc", Verdict: senderauth.Pass, Properties: []senderauth.Property{{Type: "header", Name: "from", Value: "example.org"}}},
	}}
}

const letter = "From: Jo <jo@example.org>\r\nTo: list@lists.example\r\nSubject: Hello\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n" +
	"DKIM-Signature: v=1; d=example.org\r\nMIME-Version: 1.0\r\n\r\nHello there.\r\n"

// addFooter is what breaks signatures of the first author.
func addFooter(msg string) string {
	return strings.Replace(msg, "Subject: ", "Subject: [list] ", 1) + "-- \r\nThe list\r\n"
}

// chainOf seals the letter n times, with keys of both kinds, changing it each
// time.
func (w *world) chainOf(t testing.TB, n int) string {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	msg := letter
	for i := range n {
		key := w.key(t, fmt.Sprintf("list%d.example", i+1), w.rsa)
		if i%2 == 1 {
			key = w.key(t, fmt.Sprintf("list%d.example", i+1), ed)
		}
		msg = w.forward(t, msg, key, addFooter)
	}
	return msg
}

func TestChainOfForwarders(t *testing.T) {
	w := newWorld(t)
	if res := w.verify(t, letter); res.Verdict != senderauth.None {
		t.Errorf("%+v", res)
	}
	for n := 1; n <= 4; n++ {
		msg := w.chainOf(t, n)
		res := w.verify(t, msg)
		if res.Verdict != senderauth.Pass || len(res.Sets) != n || res.Sets[n-1].Results.Methods[0].Verdict != senderauth.Pass {
			t.Errorf("%d: %+v\n%s", n, res, msg)
		}
	}
}

func TestVouched(t *testing.T) {
	w := newWorld(t)
	res := w.verify(t, w.chainOf(t, 3))
	for trusted, want := range map[string]string{
		"list3.example":                             "list3.example",
		"list2.example list3.example":               "list2.example",
		"list1.example list2.example list3.example": "list1.example",
		"list1.example list3.example":               "list3.example",
		"list1.example list2.example":               "",
		"":                                          "",
	} {
		by, ok := res.Vouched(func(domain string) bool { return strings.Contains(trusted, domain) })
		if by.Domain != want || ok != (want != "") || by.Results.ID != want {
			t.Errorf("trusting %q: %+v", trusted, by)
		}
	}
}

// TestBrokenChains breaks a chain of three in every way that RFC 8617 names.
// Each has the reason that is told.
func TestBrokenChains(t *testing.T) {
	w := newWorld(t)
	chain := w.chainOf(t, 3)
	w.dns.txt["gone._domainkey.list3.example"] = ""
	w.dns.txt["down._domainkey.list3.example"] = "down"
	w.dns.txt["rev._domainkey.list3.example"] = "v=DKIM1; p="
	w.dns.txt["bad._domainkey.list3.example"] = "v=DKIM1; p=x"
	for name, c := range map[string]struct{ pattern, by, reason string }{
		"body changed":             {`Hello there`, "Hello, there", "message signature 3 of list3.example: the body was changed"},
		"subject changed":          {`Subject: `, "Subject: Re: ", "message signature 3 of list3.example: the signature does not match"},
		"field added":              {`\r\nTo: `, "\r\nFrom: evil@example.net\r\nTo: ", "message signature 3 of list3.example: the signature does not match"},
		"newest results changed":   {`i=3; list3`, "i=3; list9", "seal 3 of list3.example: the signature does not match"},
		"oldest results changed":   {`i=1; list1`, "i=1; list9", "seal 3 of list3.example: the signature does not match"},
		"old message sig changed":  {`ARC-Message-Signature: i=1; a=rsa`, "ARC-Message-Signature: i=1; x=y; a=rsa", "seal 3 of list3.example: the signature does not match"},
		"results missing":          {`(?s)ARC-Authentication-Results: i=2;.*?example.org\r\n`, "", "set 2 is not whole"},
		"newest seal missing":      {`(?s)ARC-Seal: i=3;.*?(ARC-M)`, "$1", "set 3 is not whole"},
		"newest signature missing": {`(?s)ARC-Message-Signature: i=3;.*?(ARC-A)`, "$1", "set 3 is not whole"},
		"a set missing":            {`(?s)ARC-Seal: i=2;.*(ARC-Seal: i=1)`, "$1", "set 2 is not whole"},
		"oldest set missing":       {`(?s)ARC-Seal: i=1;.*From: Jo`, "From: Jo", "set 1 is not whole"},
		"results twice":            {`\AARC`, "ARC-Authentication-Results: i=3; x; none\r\nARC", "two fields ARC-Authentication-Results of one instance"},
		"seal twice":               {`\AARC`, "arc-seal: i=1; a=b\r\nARC", "two fields ARC-Seal of one instance"},
		"no instance":              {`ARC-Seal: i=3;`, "ARC-Seal:", "ARC-Seal: tag i= is missing"},
		"instance 0":               {`ARC-Seal: i=3;`, "ARC-Seal: i=0;", "ARC-Seal: tag i= is no number"},
		"instance 51":              {`ARC-Seal: i=3;`, "ARC-Seal: i=51;", "ARC-Seal: tag i= is no number"},
		"instance +3":              {`ARC-Seal: i=3;`, "ARC-Seal: i=+3;", "ARC-Seal: tag i= is no number"},
		"instance a":               {`Results: i=3;`, "Results: i=a;", "ARC-Authentication-Results: tag i= is no number"},
		"results without instance": {`Results: i=3;`, "Results:", `ARC-Authentication-Results: tag "list3.example" has no value`},
		"cv=fail at the end":       {`i=3; (a=rsa-sha256); cv=pass`, "i=3; $1; cv=fail", "the last sealer found"},
		"cv=fail in the middle":    {`(i=2; a=ed25519-sha256); cv=pass`, "$1; cv=fail", "set 2 says cv=fail"},
		"cv=none later":            {`(i=3; a=rsa-sha256); cv=pass`, "$1; cv=none", "set 3 says cv=none"},
		"cv=pass first":            {`cv=none`, "cv=pass", "set 1 says cv=pass"},
		"cv=PASS":                  {`(i=3; a=rsa-sha256); cv=pass`, "$1; cv=PASS", "set 3 says cv=PASS"},
		"cv missing":               {`(i=3; a=rsa-sha256); cv=pass`, "$1", "set 3 says cv="},
		"tag twice":                {`ARC-Seal: i=3;`, "ARC-Seal: i=3; s=s;", "ARC-Seal: tag s= stands twice"},
		"two semicolons":           {`ARC-Seal: i=3;`, "ARC-Seal: i=3;;", "ARC-Seal: tag"},
		"no tag list":              {`ARC-Seal: i=3;`, "ARC-Seal: 3;", "ARC-Seal: tag"},
		"tag in upper case":        {`ARC-Seal: i=3;`, "ARC-Seal: I=3;", "ARC-Seal: tag i= is missing"},
		"h= in a seal":             {`ARC-Seal: i=3;`, "ARC-Seal: i=3; h=From;", "seal 3: tag h= is not allowed"},
		"h= in an old seal":        {`ARC-Seal: i=1;`, "ARC-Seal: i=1; h=From;", "seal 1: tag h= is not allowed"},
		"algorithm missing":        {`ARC-Seal: i=3; a=rsa-sha256;`, "ARC-Seal: i=3;", "seal 3: tag a= is missing"},
		"algorithm unknown":        {`ARC-Seal: i=3; a=rsa-sha256;`, "ARC-Seal: i=3; a=rsa-md5;", "seal 3: tag a=: unknown"},
		"algorithm of the past":    {`Signature: i=3; a=rsa-sha256`, "Signature: i=3; a=rsa-sha1", "message signature 3: tag a=: rsa-sha1"},
		"algorithm of another key": {`Signature: i=3; a=rsa-sha256`, "Signature: i=3; a=ed25519-sha256", "message signature 3 of list3.example: the key record makes no sense"},
		"From not signed":          {`From:From:`, "", "message signature 3: the signature does not cover From"},
		"seal signed":              {`From:From:`, "From:From:ARC-Seal:", "message signature 3: tag h= names ARC-Seal"},
		"body hash missing":        {`bh=`, "bx=", "message signature 3: tag bh= is missing"},
		"canonical form unknown":   {`c=relaxed/relaxed`, "c=relaxed/x", "message signature 3: tag c=: no canonicalization"},
		"time is none":             {`Signature: i=3;`, "Signature: i=3; x=tomorrow;", "message signature 3: tag x=: no time"},
		"part of the body":         {`Signature: i=3;`, "Signature: i=3; l=1;", "message signature 3 of list3.example: only a part"},
		"domain missing":           {`d=list3.example; `, "", "seal 3: tag d= is missing"},
		"domain is none":           {`d=list3.example`, "d=list3..example", "seal 3: tag d=: no domain"},
		"key missing":              {`s=s;`, "s=gone;", "seal 3 of list3.example: there is no key"},
		"key revoked":              {`s=s;`, "s=rev;", "seal 3 of list3.example: the key is revoked"},
		"key bad":                  {`s=s;`, "s=bad;", "seal 3 of list3.example: the key record makes no sense"},
		"the DNS is down":          {`s=s;`, "s=down;", "seal 3 of list3.example: lookup"},
	} {
		t.Run(name, func(t *testing.T) {
			at := regexp.MustCompile(c.pattern).FindStringSubmatchIndex(chain)
			if at == nil {
				t.Fatalf("%s is not in\n%s", c.pattern, chain)
			}
			by := regexp.MustCompile(c.pattern).ExpandString(nil, c.by, chain, at)
			res := w.verify(t, chain[:at[0]]+string(by)+chain[at[1]:])
			if res.Verdict != senderauth.Fail || !strings.HasPrefix(res.Err.Error(), c.reason) || res.Sets != nil {
				t.Errorf("got %s, %v; want %s", res.Verdict, res.Err, c.reason)
			}
		})
	}
}

// TestAnyChangeFails changes each octet of the fields of a chain in turn.
func TestAnyChangeFails(t *testing.T) {
	w := newWorld(t)
	chain := w.chainOf(t, 1)
	end := strings.Index(chain, "From: Jo")
	for i := range end {
		changed := chain[:i] + string(rune(chain[i]^1)) + chain[i+1:]
		if res := w.verify(t, changed); res.Verdict == senderauth.Pass {
			folding := strings.IndexByte(" \t\r\n", chain[i]) >= 0
			padding := chain[i+1] == '=' // base64 leaves bits over before it
			if !folding && !padding {    // of the newest b=, which nothing signs
				t.Fatalf("octet %d may be changed: %q", i, chain[max(0, i-30):i+1])
			}
		}
	}
}

// TestOddButGood has what looks wrong and is not: the b= of the newest seal is
// not signed, nor what folding makes of white space.
func TestOddButGood(t *testing.T) {
	w := newWorld(t)
	chain := w.chainOf(t, 2)
	for name, c := range map[string]struct{ from, to string }{
		"name in another case":     {"ARC-Seal: i=2", "arc-SEAL: i=2"},
		"space before the colon":   {"ARC-Seal: i=2", "ARC-Seal : i=2"},
		"more white space":         {"ARC-Seal: i=2; ", "ARC-Seal: \r\n\t i=2; \r\n  "},
		"old set folded otherwise": {"ARC-Seal: i=1; ", "ARC-Seal:\r\n  i=1;   "},
		"folding in the value":     {"\tb=", "\tb=\r\n "},
	} {
		msg := strings.Replace(chain, c.from, c.to, 1)
		if res := w.verify(t, msg); res.Verdict != senderauth.Pass {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// TestFieldsInAnyOrder checks that where the fields of a set stand means nothing.
func TestFieldsInAnyOrder(t *testing.T) {
	w := newWorld(t)
	h, body, _ := message.ReadHeader(strings.NewReader(w.chainOf(t, 2)), message.HeaderLimits{})
	var text bytes.Buffer
	text.ReadFrom(body)
	for range len(h) {
		h = append(h[1:], h[0])
		msg := ""
		for _, f := range h {
			msg += string(f)
		}
		if res := w.verify(t, msg+"\r\n"+text.String()); res.Verdict != senderauth.Pass {
			t.Errorf("%+v in\n%s", res, msg)
		}
	}
}

// TestSealABrokenChain checks that a broken chain is marked, once, and that the
// mark covers itself only.
func TestSealABrokenChain(t *testing.T) {
	w := newWorld(t)
	broken := strings.Replace(w.chainOf(t, 2), "Hello there", "Bye", 1)
	key := w.key(t, "last.example", w.rsa)
	marked := w.forward(t, broken, key, nil)
	if !strings.Contains(marked, "i=3; a=rsa-sha256; cv=fail; d=last.example") {
		t.Error(marked)
	}
	if res := w.verify(t, marked); res.Verdict != senderauth.Fail {
		t.Errorf("%+v", res)
	}
	h, _, _ := message.ReadHeader(strings.NewReader(marked), message.HeaderLimits{})
	if _, err := arc.NewSealer(h, w.verify(t, marked), saw("x"), key); !errors.Is(err, arc.ErrSealed) {
		t.Error(err)
	}
}

// TestLongChains checks the limit of 50, and the cost up to it.
func TestLongChains(t *testing.T) {
	w := newWorld(t)
	key := w.key(t, "list.example", w.rsa)
	msg := letter
	for range arc.MaxSets {
		h, _, _ := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
		chain := arc.Result{Verdict: senderauth.Pass} // what it would be; to verify each takes long
		s, err := arc.NewSealer(h, chain, saw("list.example"), key)
		if err != nil {
			t.Fatal(err)
		}
		s.Write([]byte("Hello there.\r\n"))
		fields, err := s.Fields()
		if err != nil {
			t.Fatal(err)
		}
		msg = string(fields) + msg
	}
	start := time.Now()
	if res := w.verify(t, msg); res.Verdict != senderauth.Pass || len(res.Sets) != arc.MaxSets {
		t.Errorf("%+v", res)
	}
	if w.dns.asked != 1 || time.Since(start) > 5*time.Second {
		t.Errorf("%d questions in %v", w.dns.asked, time.Since(start))
	}
	h, _, _ := message.ReadHeader(strings.NewReader(msg), message.HeaderLimits{})
	if _, err := arc.NewSealer(h, arc.Result{Verdict: senderauth.Pass}, saw("x"), key); !errors.Is(err, arc.ErrTooLong) {
		t.Error(err)
	}
}

// FuzzVerify looks for chains that make a verifier or a sealer panic, or that
// pass without a signature.
func FuzzVerify(f *testing.F) {
	f.Add("i=1; a=rsa-sha256; cv=none; d=a.example; s=s; b=AAAA", "i=1; a=rsa-sha256; c=relaxed; d=a.example; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA", "i=1; x; spf=pass")
	f.Add("i=50; cv=fail", "i=2;", "i=1")
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	f.Fuzz(func(t *testing.T, seal, signature, results string) {
		h := message.Header{
			message.RawField("ARC-Seal: " + seal + "\r\n"), message.RawField("ARC-Message-Signature: " + signature + "\r\n"),
			message.RawField("ARC-Authentication-Results: " + results + "\r\n"), message.RawField("From: a@example.org\r\n"),
		}
		res := arc.NewVerifier(h).Result(context.Background(), &zone{})
		if res.Verdict == senderauth.Pass {
			t.Errorf("%+v", res)
		}
		for _, chain := range []arc.Result{res, {Verdict: senderauth.Pass}} {
			s, err := arc.NewSealer(h, chain, saw("x"), arc.Key{Domain: "a.example", Selector: "s", Signer: key})
			if err != nil {
				continue
			}
			if _, err := s.Fields(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A mailing list seals what it changed, and the receiver believes it.
func Example() {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	record, _ := senderauth.FormatKey(private.Public())
	dns := &zone{txt: map[string]string{"2026a._domainkey.lists.example": record}}

	header, body := message.Header{message.RawField("From: Jo <jo@example.org>\r\n")}, "Hello\r\n-- \r\nThe list\r\n"
	came := arc.Result{Verdict: senderauth.None} // of an arc.Verifier, before the footer was added
	sealer, err := arc.NewSealer(header, came, saw("lists.example"), arc.Key{Domain: "lists.example", Selector: "2026a", Signer: private})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(sealer, body)
	fields, err := sealer.Fields()
	if err != nil {
		fmt.Println(err)
		return
	}

	msg := string(fields) + string(header[0]) + "\r\n" + body
	res, err := arc.Verify(context.Background(), dns, strings.NewReader(msg))
	if err != nil {
		fmt.Println(err)
		return
	}
	if by, ok := res.Vouched(func(domain string) bool { return domain == "lists.example" }); ok {
		fmt.Printf("%s saw: %s\n", by.Domain, by.Results)
	}
	// Output: lists.example saw: lists.example; dmarc=pass header.from=example.org
}
