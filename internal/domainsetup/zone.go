package domainsetup

import (
	"fmt"
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/dns"
)

// maxString is how many octets one string of a TXT record holds (RFC 1035, 3.3.14).
const maxString = 255

// WriteZone writes the records as a part of a zone file (RFC 1035, 5.1), to be put into the
// zone of the domain. Those that belong into another zone stand at its end as comments.
func WriteZone(out io.Writer, domain dns.Name, records []Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "; The mail of %s: put this into its zone.\n$ORIGIN %[1]s.\n", domain)
	z := zone{domain: domain}
	z.measure(records)
	var elsewhere []Record
	for _, r := range records {
		if !r.Name.Within(domain) {
			elsewhere = append(elsewhere, r)
			continue
		}
		z.write(&b, "", r)
	}
	if len(elsewhere) > 0 {
		b.WriteString("\n; These belong into other zones:\n")
	}
	for _, r := range elsewhere {
		z.write(&b, "; ", r)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// zone is how records are set in columns.
type zone struct {
	domain dns.Name
	note   string // the last one
	width  int    // of names
}

func (z *zone) measure(records []Record) {
	const most = 40
	for _, r := range records {
		if n := len(z.relative(r.Name)); n > z.width && n <= most {
			z.width = n
		}
	}
}

func (z *zone) write(b *strings.Builder, prefix string, r Record) {
	if note := r.For + ": " + r.Note; note != z.note {
		fmt.Fprintf(b, "\n; %s\n", note)
		z.note = note
	}
	fmt.Fprintf(b, "%s%-*s 3600 IN %-5s %s\n", prefix, z.width, z.relative(r.Name), r.Type, r.Presentation())
}

// relative is a name as it is written in the zone of the domain.
func (z *zone) relative(n dns.Name) string {
	if n == z.domain {
		return "@"
	}
	if n.Within(z.domain) {
		return strings.TrimSuffix(n.String(), "."+z.domain.String())
	}
	return absolute(n)
}

// Presentation is the value as a zone file has it: a text in strings of at most 255
// octets.
func (r *Record) Presentation() string {
	if r.Type != "TXT" {
		return r.Value
	}
	var parts []string
	for text := r.Value; ; text = text[maxString:] {
		if len(text) <= maxString {
			parts = append(parts, quote(text))
			return strings.Join(parts, " ")
		}
		parts = append(parts, quote(text[:maxString]))
	}
}

// quote writes a string of a zone file, whatever octets it has.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
