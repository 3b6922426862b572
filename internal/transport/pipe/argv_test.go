package pipe

import (
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// FuzzArguments: an address changes neither how many arguments a command has nor which program
// it is, and begins none with a hyphen that the configuration did not.
func FuzzArguments(f *testing.F) {
	for _, address := range []string{`bob@b.example`, `-oQ/tmp@b.example`, `"-X; sh"@b.example`, `%{sender}@b.example`, `"$(id)"@b.example`, ``} {
		f.Add("%{user}", "-f%{sender}", address)
		f.Add("%%%{recipient}", "%{id}%{domain}", address)
		f.Add("%{", "%", address)
	}
	f.Fuzz(func(t *testing.T, first, second, address string) {
		argv := []string{"/bin/deliver", first, second}
		c, err := parseArgv(argv)
		if err != nil {
			return
		}
		to, err := smtp.ParseMailbox(address)
		if err != nil {
			return
		}
		got, refused := c.fill(&mail.Envelope{From: to, To: []mail.Recipient{{To: to}}}, 0)
		if refused != nil {
			return
		}
		if len(got) != len(argv) || got[0] != argv[0] {
			t.Fatalf("%q for %q is %q", argv, address, got)
		}
		for i, word := range got {
			if strings.HasPrefix(word, "-") && !strings.HasPrefix(argv[i], "-") {
				t.Errorf("%q for %q is %q", argv, address, got)
			}
		}
	})
}
