package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// exchanger is a peer at port 25 of an address of its own.
func exchanger(t *testing.T, answers map[string]string) *peer {
	t.Helper()
	needsRoot(t, "listen on port 25")
	l, err := net.Listen("tcp", host()+":25")
	if err != nil {
		skip(t, "port 25 is not to be had: "+err.Error())
	}
	return startPeerAt(t, l, answers)
}

func (p *peer) ip() string {
	ip, _, _ := net.SplitHostPort(p.addr)
	return ip
}

// Each domain is a case: mail to bob at it arrives at one peer, or comes back.
func TestMailGoesWhereTheDNSSays(t *testing.T) {
	t.Parallel()
	good := exchanger(t, nil)
	worse := exchanger(t, nil)
	busy := exchanger(t, map[string]string{"MAIL": "451 4.3.2 Not now\r\n"})
	fumbling := exchanger(t, map[string]string{"EHLO": "250-peer.test\r\n250 STARTTLS\r\n", "STARTTLS": "220 go on\r\n" + hangUp})
	deaf := host() // nobody listens
	zone := strings.NewReplacer("GOOD", good.ip(), "WORSE", worse.ip(), "BUSY", busy.ip(), "DEAF", deaf, "FUMBLING", fumbling.ip()).Replace(`
good.test.     60 A GOOD
worse.test.    60 A WORSE
busy.test.     60 A BUSY
deaf.test.     60 A DEAF
tls.test.      60 A FUMBLING
first.test.    60 MX 10 good.test.
first.test.    60 MX 20 worse.test.
refused.test.  60 MX 10 deaf.test.
refused.test.  60 MX 20 good.test.
notnow.test.   60 MX 10 busy.test.
notnow.test.   60 MX 20 good.test.
gone.test.     60 MX 10 nowhere.test.
gone.test.     60 MX 20 good.test.
host.test.     60 A GOOD
alias.test.    60 CNAME first.test.
cname.test.    60 MX 10 www.test.
www.test.      60 CNAME good.test.
null.test.     60 MX 0 .
ours.test.     60 MX 10 mx.example.org.
ours.test.     60 MX 20 good.test.
behind.test.   60 MX 10 good.test.
behind.test.   60 MX 20 mx.example.org.
mx.example.org. 60 A 192.0.2.1
none.test.     60 TXT "no address and no exchanger"
circle.test.   60 CNAME round.test.
round.test.    60 CNAME circle.test.
zero.test.     60 A 0.0.0.0
`)
	h := open(t, "mail-out", "NAMES="+startNames(t, zone))
	c := dial(t, h.at["smtp"])
	to := func(domain string) {
		send(t, c, from(t, "alice@example.org", "bob@"+domain), "Message-ID: <"+domain+">\n\nHello.\n")
	}
	arrives := strings.Fields("first.test refused.test notnow.test gone.test host.test alias.test cname.test behind.test [" + good.ip() + "]")
	for _, domain := range arrives {
		to(domain)
	}
	comesBack := map[string]string{
		"null.test":    "5.1.10, x-posthouse: 556 5.1.10 The domain null.test takes no mail (null MX)",
		"ours.test":    "5.4.6, x-posthouse: 554 5.4.6 Mail for ours.test loops back to this host",
		"nothing.test": "5.1.2, x-posthouse: 550 5.1.2 The domain nothing.test does not exist",
		"none.test":    "5.4.4, x-posthouse: 550 5.4.4 No host that takes the mail of none.test has an address",
		"circle.test":  "5.4.4, x-posthouse: 550 5.4.4 The domain circle.test has no usable mail exchanger",
		"zero.test":    "5.4.4, x-posthouse: 550 5.4.4 No host that takes the mail of zero.test has an address",
	}
	for domain := range comesBack {
		to(domain)
	}
	for _, domain := range arrives {
		await(t, domain+" at its exchanger", func() bool { return arrived(good, domain) == 1 }, h.log)
	}
	if n := len(good.took()); n != len(arrives) {
		t.Errorf("the good host got %d messages, want %d", n, len(arrives))
	}
	if n := len(worse.took()) + len(busy.took()); n > 0 {
		t.Errorf("other hosts got %d messages", n)
	}
	// A host that cannot do what it offers gets the mail in clear: nobody asked for more.
	to("tls.test")
	await(t, "tls.test at its exchanger", func() bool { return arrived(fumbling, "tls.test") == 1 }, h.log)
	told := ""
	for _, l := range awaitLetters(t, h.box("alice@example.org"), len(comesBack), h.log) {
		told += toldIn(t, l)
	}
	if strings.Contains(told, "asked 127.") {
		t.Errorf("a report tells which name server we ask: %s", told)
	}
	for domain, why := range comesBack {
		status, text, _ := strings.Cut(why, ", ")
		if want := "<bob@" + domain + "> failed " + status + " by , " + text; !strings.Contains(told, want) {
			t.Errorf("no report says %s\n%s", want, told)
		}
	}
}

// arrived counts the messages to bob at a domain.
func arrived(p *peer, domain string) int {
	n := 0
	for _, m := range p.took() {
		if strings.Contains(m, "\nRCPT TO:<bob@"+domain+">\r\n") || strings.HasPrefix(m, "RCPT TO:<bob@"+domain+">\r\n") {
			n++
		}
	}
	return n
}

// A domain whose exchanger is where we listen ourselves is a loop, though its name
// says nothing of it: the mail comes back at once, and is not sent to us.
func TestTheExchangerIsWe(t *testing.T) {
	t.Parallel()
	needsRoot(t, "listen on port 25")
	at := host()
	h := open(t, "mail-out", "ADDRESS="+at+":25", "NAMES="+startNames(t, `
us.test.    60 MX 10 other.test.
other.test. 60 A `+at+`
`))
	send(t, dial(t, h.at["smtp"]), from(t, "alice@example.org", "bob@us.test"), "Message-ID: <us.test>\n\nHello.\n")
	told := toldIn(t, h.letter(t, "alice@example.org"))
	if want := "<bob@us.test> failed 5.4.6 by , x-posthouse: 554 5.4.6 Mail for us.test loops back to this host\n"; !strings.Contains(told, want) {
		t.Errorf("the report is\n%s", told)
	}
}

// IPv6 comes first; if nobody is there, IPv4 gets the mail.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:25")
	if err != nil {
		t.Skip("port 25 of ::1 is not to be had, and no other address of IPv6 is ours alone: " + err.Error())
	}
	v6, v4 := startPeerAt(t, l, nil), exchanger(t, nil)
	h := open(t, "mail-out", "NAMES="+startNames(t, `
both.test. 60 AAAA ::1
both.test. 60 A `+v4.ip()+`
dead.test. 60 AAAA fd00:dead::25
dead.test. 60 A `+v4.ip()+`
`))
	c := dial(t, h.at["smtp"])
	send(t, c, from(t, "alice@example.org", "bob@both.test"), "Subject: x\n\nHello.\n")
	send(t, c, from(t, "alice@example.org", "bob@dead.test"), "Subject: x\n\nHello.\n")
	await(t, "the mail at ::1", func() bool { return arrived(v6, "both.test") == 1 }, h.log)
	await(t, "the mail at "+v4.ip(), func() bool { return arrived(v4, "dead.test") == 1 }, h.log)
	if len(v6.took()) != 1 || len(v4.took()) != 1 {
		t.Errorf("IPv6 got %d, IPv4 got %d messages", len(v6.took()), len(v4.took()))
	}
}

// A name server that lies, or raves, leads no mail astray: what cannot be used is left
// out, and there is an end to what is looked at.
func TestNamesThatNobodyShouldHave(t *testing.T) {
	t.Parallel()
	good := exchanger(t, nil)
	mx := func(domain, host string, preference uint16) dns.RR {
		return &dns.MX{Hdr: dns.RR_Header{Name: domain, Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: 60}, Preference: preference, Mx: host}
	}
	var more []dns.RR
	for i := range 2500 { // as many as an answer can hold
		more = append(more, mx("many.test.", fmt.Sprintf("h%d.many.test.", i), uint16(10+i)))
	}
	more = append(more, mx("many.test.", "good.test.", 1))
	for i, bad := range []string{
		`a\032b.test.`, `a\010RCPT\032TO:<eve@evil.test>.test.`, `a\000.test.`, `\226\128\174.test.`, `\046\046\047etc.test.`, "192.0.2.1.", "-.test.",
		`%s%n.test.`, strings.Repeat("x", 63) + ".test.", "*.test.",
	} {
		if _, ok := dns.IsDomainName(bad); !ok {
			t.Fatalf("%q cannot be in an answer", bad)
		}
		more = append(more, mx("bad.test.", bad, uint16(i)), mx("allbad.test.", bad, uint16(i)))
	}
	more = append(more, mx("bad.test.", "good.test.", 100))
	h := open(t, "mail-out", "NAMES="+startNames(t, "good.test. 60 A "+good.ip(), more...))
	c := dial(t, h.at["smtp"])
	for _, domain := range []string{"many.test", "bad.test", "allbad.test"} {
		send(t, c, from(t, "alice@example.org", "bob@"+domain), "Message-ID: <"+domain+">\n\nHello.\n")
	}
	for _, domain := range []string{"many.test", "bad.test"} {
		await(t, domain+" at its exchanger", func() bool { return arrived(good, domain) == 1 }, h.log)
	}
	told := toldIn(t, h.letter(t, "alice@example.org"))
	if !strings.Contains(told, "<bob@allbad.test> failed 5.4.4 by , x-posthouse: 550 5.4.4 ") {
		t.Errorf("the report is\n%s", told)
	}
	h.end(t)
	h.isClean(t)
}
