package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// TestVerifyExplainsAMessage: each step tells what was asked and what that said, and what would
// become of the message.
func TestVerifyExplainsAMessage(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	record, err := senderauth.FormatKey(key.Public())
	check(t, err)
	names := startNames(t, `
sina.test.                 60 TXT "v=spf1 mx -all"
sina.test.                 60 MX 10 mx.sina.test.
mx.sina.test.              60 A 192.0.2.1
mx.sina.test.              60 TXT "v=spf1 a -all"
1.2.0.192.in-addr.arpa.    60 PTR mx.sina.test.
one._domainkey.sina.test.  60 TXT "`+record+`"
_dmarc.sina.test.          60 TXT "v=DMARC1; p=reject"
`)
	letter := "From: li@sina.test\r\nTo: wang@sohu.test\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n"
	field, err := dkim.Sign(strings.NewReader(letter), dkim.Key{Domain: "sina.test", Selector: "one", Signer: key})
	check(t, err)
	signed := strings.ReplaceAll(string(field)+letter, "\r\n", "\n")

	c := commander{t, &house{dir: directory(t)}}
	file := func(name, text string) { write(t, filepath.Join(c.h.dir, name), text) }
	file("signed", signed)
	file("mbox", "From li@sina.test Mon Nov 23 12:00:00 2026\nReturn-Path: <li@sina.test>\n"+signed)
	file("changed", signed+"And more.\n")
	file("strange", crlf(strings.Replace(signed, "li@sina.test", "evil\x1b[2J@sina.test", 1)))
	file("two", "From: a@sina.test\nFrom: b@sohu.test\n\nx\n")
	verify := func(status int, args ...string) string {
		t.Helper()
		return c.ends(status, append([]string{"verify", "--dns", names}, args...)...)
	}
	has := func(out string, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(oneLine(out), oneLine(want)) {
				t.Errorf("%q is not in\n%s", want, out)
			}
		}
	}
	has(verify(0, "signed"),
		"subject   grüße\n",
		"dkim    pass      the domain has signed what came here (RFC 6376, 6.1.3)\n",
		"  ? TXT one._domainkey.sina.test\n", "  = "+record+"\n",
		"dmarc   pass      one who was authenticated speaks for the author (RFC 9989, 4.4)\n",
		"  ? TXT _dmarc.sina.test\n", "  = v=DMARC1; p=reject\n",
		"The message would be taken.\n")
	has(verify(0, "mbox", "--ip", "192.0.2.1", "--helo", "mx.sina.test"),
		"sender    li@sina.test\n", "client    192.0.2.1 mx.sina.test\n",
		"iprev   pass      the client has a name that leads back to it",
		"spf     pass      the client may send for the domain (RFC 7208, 2.6.3)\n",
		"  ? MX sina.test\n", "  = 10 mx.sina.test.\n",
		"dkim    pass ")
	has(verify(65, "changed", "--ip", "198.51.100.1", "--from", "li@sina.test"),
		"iprev   fail      the client has no name that leads back to it",
		"spf     fail      the client may not send for the domain (RFC 7208, 2.6.4)\n",
		"dkim    fail      what came here is not what the domain signed, or no more (RFC 6376, 6.1.3)\n",
		"dmarc   fail ", "The message would be refused.\n", "The client would hear: 550 5.7.26 ")
	has(verify(0, "changed", "--ip", "192.0.2.1", "--from", "li@sina.test"),
		"dkim    fail ", "dmarc   pass ", "SPF of sina.test speaks for it")
	has(verify(65, "two"), "dmarc   permerror it cannot be said who the author is (RFC 9989, 4.1)\n", "The message would be refused.\n")
	if out := verify(65, "strange"); strings.Contains(out, "\x1b") {
		t.Errorf("a terminal would obey %q", out)
	}
	has(verify(0, "signed", "--json"), `"method":"dkim","results":[{"verdict":"pass","about":"header.d=sina.test header.s=one `, `"action":"pass"`)
	c.ends(75, "verify", "signed", "--dns", "127.0.0.1:1", "--timeout", "100ms")
	c.ends(66, "verify", "nothing")
	c.ends(66, "verify", ".")
	c.ends(64, "verify", "signed", "--ip", "mx")
	c.ends(64, "verify", "signed", "--helo", "mx")
	c.ends(64, "verify", "signed", "--from", "no mailbox")
}

// oneLine is a text however it was wrapped.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
