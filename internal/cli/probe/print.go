package probe

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// print writes what was found for a person.
func (f *Found) print(out io.Writer) error {
	p := cli.NewPage(out)
	p.Line(f.Domain)
	if f.Fault != "" {
		field(p, 1, "no mail", f.Fault)
		return p.Print(out)
	}
	signed := "not signed, so that DANE is not asked for"
	if f.Signed {
		signed = "signed"
	}
	field(p, 1, "MX", fmt.Sprintf("%d %s, %s", len(f.Hosts), plural(len(f.Hosts), "host"), signed))
	field(p, 1, "MTA-STS", f.MTASTS.words())
	for _, n := range f.Notes {
		field(p, 1, "note", n)
	}
	for i := range f.Hosts {
		p.Blank()
		f.Hosts[i].print(p)
	}
	return p.Print(out)
}

func (s *Policy) words() string {
	switch {
	case s == nil:
		return "none"
	case s.ID == "":
		return "announced, but cannot be had: " + s.Fault
	}
	words := fmt.Sprintf("%s, id %s, for %s; mx: %s", s.Mode, s.ID, time.Duration(s.MaxAge)*time.Second, strings.Join(s.MX, " "))
	if s.Fault != "" {
		words += "; but now it cannot be had: " + s.Fault
	}
	return words
}

func (h *Host) print(p *cli.Page) {
	p.Line(fmt.Sprintf("%s (%d)", h.Name, h.Preference))
	field(p, 1, "needs", h.TLS)
	if h.DANEFault != "" {
		field(p, 1, "DANE", h.DANEFault)
	}
	for i, record := range h.DANE { // digests are not wrapped
		head := "DANE"
		if i > 0 {
			head = ""
		}
		p.Line(cli.Left("  "+head, column-1), record)
	}
	for i := range h.Addresses {
		h.Addresses[i].print(p)
	}
}

func (a *Address) print(p *cli.Page) {
	p.Line("  " + a.Address)
	for _, l := range []struct{ head, text string }{
		{"failed", a.Fault},
		{"INSECURE", a.Insecure},
		{"greeting", a.Greeting},
		{"TLS", a.TLS + a.TLSFault},
		{"certificate", a.Cert.words()},
		{"", a.Cert.proof()},
		{"offers", strings.Join(a.Extensions, ", ")},
		{"logins", strings.Join(a.Auth, " ")},
		{"took", a.Took.words()},
	} {
		if l.text != "" {
			field(p, 2, l.head, l.text)
		}
	}
}

func (c *Certificate) words() string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s; %s; %s; until %s", strings.Join(c.Names, " "), c.Issuer, c.Key, c.Until.UTC().Format("2006-01-02"))
}

func (c *Certificate) proof() string {
	switch {
	case c == nil:
		return ""
	case c.DANE == "fits":
		return "fits the TLSA records"
	case c.DANE != "":
		return c.DANE
	case c.Fault != "":
		return "not verified: " + c.Fault
	}
	return "verified"
}

func (t *Took) words() string {
	var parts []string
	for _, s := range []struct {
		head string
		ms   float64
	}{{"connect", t.Connect}, {"greeting", t.Greeting}, {"TLS", t.TLS}, {"ready", t.Ready}} {
		if s.ms > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f ms", s.head, s.ms))
		}
	}
	return strings.Join(parts, ", ")
}

// column is where texts begin.
const column = 17

// field is a line with a head, in the column of all heads.
func field(p *cli.Page, depth int, head, text string) {
	p.Text(cli.Left(strings.Repeat("  ", depth)+head, column), text)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
