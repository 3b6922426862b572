package directory

import (
	"strings"

	"golang.org/x/text/secure/precis"

	"github.com/posthouse/posthouse/smtp"
)

// IsExact reports whether a name is written in the one way that nothing takes for another
// name, but for the case of ASCII: databases and directories compare names without regard
// to case, width or space (RFC 4518; RFC 8265, 3.3). Failures are counted by name: a second
// way to write it would be a second try.
func IsExact(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	mapped, err := precis.UsernameCaseMapped.String(name)
	return err == nil && mapped == FoldName(name)
}

// SplitName returns what is in front of the last @ of a name, and behind it: "" if there
// is none.
func SplitName(name string) (user, domain string) {
	at := strings.LastIndexByte(name, '@')
	if at < 0 {
		return name, ""
	}
	return name[:at], name[at+1:]
}

// maxSenders is how many addresses an account may have.
const maxSenders = 1000

// SendersOf is as whom an account may send whose addresses are kept elsewhere: as those
// alone. What is no address such as "jane@example.org", or "*@example.org" for all in a
// domain, is none of them, and what is beyond 1000 neither.
func SendersOf(addresses []string) *Senders {
	s := &Senders{}
	for _, one := range addresses {
		p, err := smtp.ParseMailbox(one)
		if err != nil || p.Domain() == "" || len(s.List) == maxSenders {
			continue
		}
		address, _ := FoldAddress(p)
		s.List = append(s.List, address)
	}
	if len(s.List) == 0 {
		s.List = []string{""} // not even as itself: an empty list would be the scope
	}
	return s
}
