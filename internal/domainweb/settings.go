package domainweb

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/smtp"
)

// Settings are where people's programs find their mail. All of it is under TLS, and whoever
// logs in does so with the whole address and a password.
type Settings struct {
	IMAP, POP3  dns.Name // hosts, at the ports 993 and 995; the root: there is none
	SMTP        dns.Name // the host to which mail is submitted
	Submissions int      // its port with TLS from the beginning; 0: none
	Submission  int      // its port with STARTTLS; 0: none
}

// service is one of the servers.
type service struct {
	kind string // "imap", "pop3", "smtp"
	host dns.Name
	port int
	tls  string // "SSL" from the beginning, or "STARTTLS"
}

func (s *Settings) incoming() []service {
	var all []service
	if !s.IMAP.IsRoot() {
		all = append(all, service{"imap", s.IMAP, 993, "SSL"})
	}
	if !s.POP3.IsRoot() {
		all = append(all, service{"pop3", s.POP3, 995, "SSL"})
	}
	return all
}

// outgoing has what is better first (RFC 8314, 3.3).
func (s *Settings) outgoing() []service {
	var all []service
	if s.Submissions != 0 {
		all = append(all, service{"smtp", s.SMTP, s.Submissions, "SSL"})
	}
	if s.Submission != 0 {
		all = append(all, service{"smtp", s.SMTP, s.Submission, "STARTTLS"})
	}
	return all
}

// document writes XML, element by element.
type document struct{ b strings.Builder }

func newDocument() *document {
	d := &document{}
	d.b.WriteString(xml.Header)
	return d
}

// open begins an element; attributes stand in its name as they are.
func (d *document) open(element string)  { d.b.WriteString("<" + element + ">") }
func (d *document) close(element string) { d.b.WriteString("</" + element + ">\n") }

func (d *document) text(element, text string) {
	d.open(element)
	_ = xml.EscapeText(&d.b, []byte(text)) // a builder takes everything
	d.close(element)
}

// autoconfig is the settings as Thunderbird wants them.
func (s *Settings) autoconfig(domain string) string {
	d := newDocument()
	d.open(`clientConfig version="1.1"`)
	d.open(`emailProvider id="` + domain + `"`) // a name, without anything to escape
	d.text("domain", domain)
	d.text("displayName", domain)
	d.text("displayShortName", domain)
	for _, v := range s.incoming() {
		d.server("incomingServer", v)
	}
	for _, v := range s.outgoing() {
		d.server("outgoingServer", v)
	}
	d.close("emailProvider")
	d.close("clientConfig")
	return d.b.String()
}

func (d *document) server(element string, v service) {
	d.open(element + ` type="` + v.kind + `"`)
	d.text("hostname", v.host.String())
	d.text("port", strconv.Itoa(v.port))
	d.text("socketType", v.tls)
	d.text("authentication", "password-cleartext")
	d.text("username", "%EMAILADDRESS%")
	d.close(element)
}

// What Outlook calls the kinds of documents.
const (
	discoverSchema = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
	outlookSchema  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
)

// autodiscover is the settings as Outlook wants them, for an address.
func (s *Settings) autodiscover(address string) string {
	d := newDocument()
	d.open(`Autodiscover xmlns="` + discoverSchema + `"`)
	d.open(`Response xmlns="` + outlookSchema + `"`)
	d.open("Account")
	d.text("AccountType", "email")
	d.text("Action", "settings")
	for _, v := range append(s.incoming(), s.outgoing()...) {
		d.protocol(v, address)
	}
	d.close("Account")
	d.close("Response")
	d.close("Autodiscover")
	return d.b.String()
}

func (d *document) protocol(v service, address string) {
	encryption := "SSL"
	if v.tls != "SSL" {
		encryption = "TLS"
	}
	d.open("Protocol")
	d.text("Type", strings.ToUpper(v.kind))
	d.text("Server", v.host.String())
	d.text("Port", strconv.Itoa(v.port))
	d.text("LoginName", address)
	d.text("SPA", "off")
	d.text("Encryption", encryption)
	d.text("SSL", "on")
	d.text("AuthRequired", "on")
	d.close("Protocol")
}

// parseDiscover reads the question of a program of Outlook's kind: whose settings it wants.
// There is one such element, wherever in the document.
func parseDiscover(text []byte) (smtp.Path, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return smtp.Path{}, errors.New("it does not say whose settings it wants")
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > 16 {
				return smtp.Path{}, errors.New("it is too deep")
			}
			if t.Name.Local != "EMailAddress" {
				continue
			}
			var address string
			if err := d.DecodeElement(&address, &t); err != nil {
				return smtp.Path{}, err
			}
			return smtp.ParseMailbox(strings.TrimSpace(address))
		case xml.EndElement:
			depth--
		}
	}
}

// has reports whether an address is in the domain of the site.
func (s *Site) has(p smtp.Path) bool {
	n, err := dns.ParseName(p.Domain())
	return err == nil && n == s.Domain
}
