package milter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/smtp"
)

// macros are names and values in turn, of which those without a value are left out. Names of
// more than one letter stand in braces, as Sendmail has them.
func macros(pairs ...string) []byte {
	var b []byte
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b = append(b, texts(pairs[i], pairs[i+1])...)
		}
	}
	return b
}

// only leaves those of some macros that have one of the names, with braces or without.
func only(all []byte, names []string) (some []byte) {
	for len(all) > 0 {
		var name, value string
		name, all = cut(all)
		value, all = cut(all)
		if slices.ContainsFunc(names, func(n string) bool { return strings.Trim(n, "{}") == strings.Trim(name, "{}") }) {
			some = append(some, texts(name, value)...)
		}
	}
	return some
}

func (m *Milter) connectMacros(v *policy.Visit) []byte {
	client := v.Source.Client
	pairs := []string{
		"j", m.opts.Hostname, "v", "Posthouse",
		"{daemon_name}", v.Source.Listener,
		"_", m.clientName(v),
	}
	if client.IsValid() {
		pairs = append(pairs,
			"{client_name}", m.clientName(v), "{client_addr}", client.Addr().Unmap().String(), "{client_port}", port(client))
	}
	if v.Local.IsValid() {
		pairs = append(pairs, "{daemon_addr}", v.Local.Addr().Unmap().String(), "{daemon_port}", port(v.Local))
	}
	return macros(pairs...)
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// clientName is the name of a client that nobody has looked up: its address in brackets, as
// Sendmail has it.
func (m *Milter) clientName(v *policy.Visit) string {
	if !v.Source.Client.IsValid() {
		return "localhost"
	}
	return "[" + v.Source.Client.Addr().Unmap().String() + "]"
}

// helloMacros: "TLS 1.3 TLS_AES_128_GCM_SHA256" in the words of Sendmail.
func helloMacros(v *policy.Visit) []byte {
	words := strings.Fields(v.Source.TLS)
	if len(words) != 3 {
		return nil
	}
	return macros("{tls_version}", words[0]+"v"+words[1], "{cipher}", words[2])
}

// mailMacros: auth_type is that somebody has logged in, by whatever mechanism: programs look
// only whether it is there.
func mailMacros(v *policy.Visit) []byte {
	auth := ""
	if v.Source.Login != "" {
		auth = "SASL"
	}
	return macros(
		"i", id(v), "{mail_mailer}", "smtp", "{mail_host}", v.From.Domain(), "{mail_addr}", v.From.String(),
		"{auth_type}", auth, "{auth_authen}", v.Source.Login,
	)
}

func rcptMacros(v *policy.Visit, to smtp.Path) []byte {
	return macros("i", id(v), "{rcpt_mailer}", "smtp", "{rcpt_host}", to.Domain(), "{rcpt_addr}", to.String())
}

func id(v *policy.Visit) string {
	if v.ID.IsZero() {
		return ""
	}
	return v.ID.String()
}

// envelope is an address with its ESMTP arguments, as a command has them.
func envelope(c smtp.Command, p smtp.Path) []byte {
	all := []string{"<" + p.String() + ">"}
	line, err := smtp.AppendCommand(nil, c)
	if err != nil {
		return texts(all...) // it came without what it cannot be sent with
	}
	_, arguments, _ := strings.Cut(string(line), ":"+all[0])
	return texts(append(all, strings.Fields(arguments)...)...)
}

// connection is who has connected.
func (m *Milter) connection(v *policy.Visit) []byte {
	client := v.Source.Client
	b := texts(m.clientName(v))
	if !client.IsValid() {
		return append(b, 'U')
	}
	family := byte('4')
	if client.Addr().Unmap().Is6() {
		family = '6'
	}
	b = append(b, family, byte(client.Port()>>8), byte(client.Port()))
	return append(b, texts(client.Addr().Unmap().WithZone("").String())...)
}
