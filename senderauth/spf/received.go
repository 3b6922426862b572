package spf

import (
	"strings"

	"github.com/posthouse/posthouse/senderauth"
)

// ReceivedName is the name of the field of which [Received] is the value.
const ReceivedName = "Received-SPF"

// Received is what a check found, as the value of a Received-SPF field (RFC 7208, 9.1), folded to short
// lines with CRLF. receiver is the name of the host that checks. Authentication-Results tells the same to
// more programs (9.2).
func Received(q Query, r Result, receiver string) string {
	identity := "mailfrom"
	if r.FromHelo {
		identity = "helo"
	}
	lines := []string{string(r.Verdict) + " (" + comment(receiver+": "+meaning(q, r)) + ")"}
	for _, pair := range [][2]string{
		{"receiver", receiver},
		{"identity", identity},
		{"client-ip", q.IP.Unmap().WithZone("").String()},
		{"helo", q.Helo},
		{"envelope-from", q.MailFrom},
		{"mechanism", r.Mechanism},
		{"problem", problem(r)},
	} {
		if pair[1] != "" {
			lines = append(lines, pair[0]+"="+word(pair[1])+";")
		}
	}
	return strings.TrimSuffix(strings.Join(lines, "\r\n\t"), ";")
}

func problem(r Result) string {
	if r.Err == nil {
		return ""
	}
	return r.Err.Error()
}

// meaning is a verdict for people.
func meaning(q Query, r Result) string {
	client := q.IP.Unmap().String()
	switch r.Verdict {
	case senderauth.Pass:
		return r.Domain + " designates " + client + " as permitted sender"
	case senderauth.Fail:
		return r.Domain + " does not designate " + client + " as permitted sender"
	case senderauth.SoftFail:
		return r.Domain + " discourages use of " + client + " as sender"
	case senderauth.Neutral:
		return client + " is neither permitted nor denied by " + r.Domain
	case senderauth.None:
		return r.Domain + " does not say who may send for it"
	}
	return "what " + r.Domain + " says could not be found out"
}

// comment is a text that can stand between parentheses.
func comment(s string) string { return escaped(s, `()\`) }

// word is a value as it stands, or quoted (RFC 5322, 3.2.3 and 3.2.4).
func word(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.TrimFunc(part, plain) != "" {
			return `"` + escaped(s, `"\`) + `"`
		}
	}
	return s
}

// escaped is printable text of at most 256 octets with a backslash in front of some octets; what no header
// can have is a question mark.
func escaped(s, special string) string {
	var b strings.Builder
	for i := range min(len(s), 256) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			b.WriteByte('?')
		case strings.IndexByte(special, c) >= 0:
			b.WriteString(`\` + s[i:i+1])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
