package domainweb

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
)

func name(t testing.TB, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const policy = "version: STSv1\nmode: testing\nmx: mx.sohu.test\nmax_age: 86400\n"

func sites(t testing.TB) []Site {
	return []Site{
		{Domain: name(t, "sohu.test"), Policy: policy, Settings: &Settings{
			IMAP: name(t, "imap.sohu.test"), POP3: name(t, "pop.sohu.test"), SMTP: name(t, "mx.sohu.test"), Submissions: 465, Submission: 587,
		}},
		{Domain: name(t, "sina.test"), Settings: &Settings{IMAP: name(t, "imap.sohu.test"), SMTP: name(t, "mx.sohu.test"), Submission: 587}},
		{Domain: name(t, "bare.test"), Policy: policy},
	}
}

// TestPages: who asks for what, and what the first words of the answer are.
func TestPages(t *testing.T) {
	h := Handler(sites(t))
	ask := func(address string) string {
		return `<?xml version="1.0"?><Autodiscover xmlns="x"><Request><EMailAddress>` + address + `</EMailAddress></Request></Autodiscover>`
	}
	for _, c := range []struct {
		method, host, path, body string
		status                   int
		says                     string
	}{
		{"GET", "mta-sts.sohu.test", "/.well-known/mta-sts.txt", "", 200, policy},
		{"GET", "MTA-STS.Sohu.Test.:443", "/.well-known/mta-sts.txt", "", 200, policy},
		{"GET", "mta-sts.bare.test", "/.well-known/mta-sts.txt?x=y", "", 200, policy},
		{"POST", "mta-sts.sohu.test", "/.well-known/mta-sts.txt", "", 405, ""},
		{"GET", "mta-sts.sina.test", "/.well-known/mta-sts.txt", "", 404, ""},
		{"GET", "sohu.test", "/.well-known/mta-sts.txt", "", 404, ""},
		{"GET", "mta-sts.elsewhere.test", "/.well-known/mta-sts.txt", "", 404, ""},
		{"GET", "mta-sts.sohu.test", "/", "", 404, ""},
		{"GET", "mta-sts.sohu.test", "/.well-known/../.well-known/mta-sts.txt", "", 404, ""},
		{"GET", "mta-sts.sohu.test", "/mail/config-v1.1.xml", "", 404, ""},
		{"GET", "a b", "/", "", 404, ""},
		{"GET", "autoconfig.sohu.test", "/mail/config-v1.1.xml?emailaddress=li@sohu.test", "", 200, "<domain>sohu.test</domain>"},
		{"GET", "sohu.test", "/.well-known/autoconfig/mail/config-v1.1.xml", "", 200, "<domain>sohu.test</domain>"},
		{"GET", "autoconfig.bare.test", "/mail/config-v1.1.xml", "", 404, ""},
		{"POST", "autodiscover.sohu.test", "/Autodiscover/Autodiscover.xml", ask("li@Sohu.test"), 200, "<LoginName>li@Sohu.test</LoginName>"},
		{"POST", "sohu.test", "/autodiscover/autodiscover.xml", ask(`"a&amp;b"@sohu.test`), 200, "<LoginName>&#34;a&amp;b&#34;@sohu.test</LoginName>"},
		{"POST", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", ask("li@sina.test"), 400, ""},
		{"POST", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", ask("nobody"), 400, ""},
		{"POST", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", "", 400, ""},
		{"POST", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", strings.Repeat("<a>", 20), 400, ""},
		{"POST", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", "<a>" + strings.Repeat(" ", maxRequest), 413, ""},
		{"GET", "autodiscover.sohu.test", "/autodiscover/autodiscover.xml", "", 405, ""},
	} {
		q := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
		q.Host = c.host
		q.URL.Path, q.URL.RawQuery, _ = strings.Cut(c.path, "?")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s https://%s%s answers %d %q, want %d %q", c.method, c.host, c.path, w.Code, w.Body, c.status, c.says)
		}
		if strings.Contains(w.Body.String(), c.host) && c.status != 200 {
			t.Errorf("the page repeats what it was asked: %q", w.Body)
		}
	}
}

// TestSettings holds the elements of both forms of settings, as one who reads XML finds them.
func TestSettings(t *testing.T) {
	s := sites(t)[0]
	for _, c := range []struct{ text, want string }{
		{s.Settings.autoconfig("sohu.test"), `clientConfig(version=1.1 emailProvider(id=sohu.test domain:sohu.test displayName:sohu.test displayShortName:sohu.test ` +
			`incomingServer(type=imap hostname:imap.sohu.test port:993 socketType:SSL authentication:password-cleartext username:%EMAILADDRESS%) ` +
			`incomingServer(type=pop3 hostname:pop.sohu.test port:995 socketType:SSL authentication:password-cleartext username:%EMAILADDRESS%) ` +
			`outgoingServer(type=smtp hostname:mx.sohu.test port:465 socketType:SSL authentication:password-cleartext username:%EMAILADDRESS%) ` +
			`outgoingServer(type=smtp hostname:mx.sohu.test port:587 socketType:STARTTLS authentication:password-cleartext username:%EMAILADDRESS%)))`},
		{s.Settings.autodiscover("li@sohu.test"), `Autodiscover(xmlns=` + discoverSchema + ` Response(xmlns=` + outlookSchema + ` Account(AccountType:email Action:settings ` +
			`Protocol(Type:IMAP Server:imap.sohu.test Port:993 LoginName:li@sohu.test SPA:off Encryption:SSL SSL:on AuthRequired:on) ` +
			`Protocol(Type:POP3 Server:pop.sohu.test Port:995 LoginName:li@sohu.test SPA:off Encryption:SSL SSL:on AuthRequired:on) ` +
			`Protocol(Type:SMTP Server:mx.sohu.test Port:465 LoginName:li@sohu.test SPA:off Encryption:SSL SSL:on AuthRequired:on) ` +
			`Protocol(Type:SMTP Server:mx.sohu.test Port:587 LoginName:li@sohu.test SPA:off Encryption:TLS SSL:on AuthRequired:on))))`},
	} {
		if got := outline(t, c.text); got != c.want {
			t.Errorf("the document is\n%s\nwant\n%s", got, c.want)
		}
	}
}

// element is one of a document, with all that is in it.
type element struct {
	XMLName xml.Name
	Attr    []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Inner   []element  `xml:",any"`
}

// outline is a document in one line.
func outline(t *testing.T, text string) string {
	t.Helper()
	var e element
	if err := xml.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e.String()
}

func (e element) String() string {
	var parts []string
	for _, a := range e.Attr {
		parts = append(parts, a.Name.Local+"="+a.Value)
	}
	for _, inner := range e.Inner {
		parts = append(parts, inner.String())
	}
	if parts == nil {
		return e.XMLName.Local + ":" + e.Text
	}
	return e.XMLName.Local + "(" + strings.Join(parts, " ") + ")"
}

// TestNames: the names for which a certificate has to be good.
func TestNames(t *testing.T) {
	for i, want := range []string{
		"mta-sts.sohu.test autoconfig.sohu.test autodiscover.sohu.test", "autoconfig.sina.test autodiscover.sina.test", "mta-sts.bare.test",
	} {
		if got := strings.Join(sites(t)[i].Names(), " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzDiscover: whatever is asked, what is answered is XML, and about an address of the domain.
func FuzzDiscover(f *testing.F) {
	f.Add([]byte(`<A><EMailAddress>li@sohu.test</EMailAddress></A>`))
	f.Add([]byte(`<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Add([]byte(`<EMailAddress>"&lt;/LoginName&gt;"@sohu.test</EMailAddress>`))
	s := sites(f)[0]
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parseDiscover(text)
		if err != nil || !s.has(p) {
			return
		}
		var v struct {
			Names []string `xml:"Response>Account>Protocol>LoginName"`
		}
		if err := xml.Unmarshal([]byte(s.Settings.autodiscover(p.String())), &v); err != nil || len(v.Names) != 4 || v.Names[0] != p.String() {
			t.Errorf("%q: %q, %v", p, v.Names, err)
		}
	})
}
