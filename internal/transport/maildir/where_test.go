package maildir

import (
	"path"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
)

// FuzzPlace: whatever a recipient is called, his Maildir is as deep below the root as the path of the
// configuration says, and no folder of it is hidden.
func FuzzPlace(f *testing.F) {
	for _, address := range []string{
		`jane+lists@a.example`, `"../../etc"@a.example`, `"..\/x"@a.example`, `".."@a.example`, `"a/b"@a.example`, `é@BÜCHER.example`,
		`x@[192.0.2.1]`, `x@[IPv6:::1]`, `"%{domain}"@a.example`, `+@a.example`, `"+.."@a.example`, `postmaster`,
	} {
		f.Add("%{domain}/%{user}", address, "+")
		f.Add("boxes/x%{user}y", address, "")
		f.Add("%{user}", address, "..")
	}
	f.Fuzz(func(t *testing.T, place, address, tag string) {
		where, err := parseTemplate(place)
		if err != nil {
			return
		}
		to, err := smtp.ParseMailbox(address)
		if err != nil {
			return
		}
		got, err := where.fill(to, tag)
		if err != nil {
			return
		}
		if path.Clean(got) != got || strings.Count(got, "/") != strings.Count(place, "/") || strings.HasPrefix(got, "/") ||
			strings.Contains("/"+got, "/.") || strings.ContainsAny(got, "\x00\r\n") {
			t.Errorf("%q at %q is %q", address, place, got)
		}
	})
}
