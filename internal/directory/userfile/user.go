package userfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/smtp"
)

// User is a line of the file.
type User struct {
	Name     string             // folded
	Password *password.Hash     // nil: none fits
	SCRAM    *directory.SCRAM   // nil: none is kept
	CRAM     *directory.CRAM    // nil: none is kept
	Sends    *directory.Senders // nil: the configuration says
}

// maxSenders is how many addresses a list of senders has.
const maxSenders = 1000

// ParseUser reads a line of the file.
func ParseUser(line string) (*User, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil, errors.New("there is no name")
	}
	u := &User{Name: directory.FoldName(fields[0])}
	if err := CheckName(u.Name); err != nil {
		return nil, err
	}
	for _, f := range fields[1:] {
		if err := u.field(f); err != nil {
			return nil, fmt.Errorf("%s: %w", u.Name, err)
		}
	}
	return u, nil
}

var errTwice = errors.New("a field stands there twice")

// field reads one field. Its text is no part of an error: it may be a secret.
func (u *User) field(f string) (err error) {
	list, isSends := strings.CutPrefix(f, "sends=")
	switch {
	case strings.HasPrefix(f, password.HashPrefix):
		if u.Password != nil {
			return errTwice
		}
		u.Password, err = password.ParseHash(f)
	case strings.HasPrefix(f, password.SCRAMPrefix):
		if u.SCRAM != nil {
			return errTwice
		}
		u.SCRAM, err = password.ParseSCRAM(f)
	case strings.HasPrefix(f, password.CRAMPrefix):
		if u.CRAM != nil {
			return errTwice
		}
		u.CRAM, err = password.ParseCRAM(f)
	case isSends:
		if u.Sends != nil {
			return errTwice
		}
		u.Sends, err = ParseSenders(list)
	default:
		err = errors.New("a field begins with none of $argon2id$, SCRAM-SHA-256$, CRAM-MD5$ and sends=")
	}
	return err
}

// String prints the line, without its end.
func (u *User) String() string {
	fields := []string{u.Name}
	if u.Password != nil {
		fields = append(fields, u.Password.String())
	}
	if u.SCRAM != nil {
		fields = append(fields, u.SCRAM.String())
	}
	if u.CRAM != nil {
		fields = append(fields, u.CRAM.String())
	}
	if u.Sends != nil {
		fields = append(fields, "sends="+FormatSenders(u.Sends))
	}
	return strings.Join(fields, " ")
}

func (u *User) account() *directory.Account {
	return &directory.Account{Name: u.Name, SCRAM: u.SCRAM, CRAM: u.CRAM, Sends: u.Sends}
}

// CheckName says why a name cannot be that of an account.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > directory.MaxName:
		return fmt.Errorf("the name is longer than %d octets", directory.MaxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case strings.HasPrefix(name, "#") || strings.HasPrefix(name, "$"):
		return fmt.Errorf("a name cannot begin with %q", name[0])
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return errors.New("the name has a space in it, or a character that cannot be seen")
	}
	return nil
}

// ParseSenders reads "own", "domain", "any", or addresses with commas between them.
func ParseSenders(s string) (*directory.Senders, error) {
	if scope, ok := directory.ParseScope(s); ok {
		return &directory.Senders{Scope: scope}, nil
	}
	out := &directory.Senders{}
	for one := range strings.SplitSeq(s, ",") {
		address, err := parseSender(one)
		switch {
		case err != nil:
			return nil, err
		case len(out.List) == maxSenders:
			return nil, fmt.Errorf("there are more than %d addresses", maxSenders)
		}
		out.List = append(out.List, address)
	}
	return out, nil
}

func parseSender(s string) (string, error) {
	p, err := smtp.ParseMailbox(s)
	if err != nil || p.Domain() == "" || strings.ContainsAny(s, ` ",`) {
		return "", fmt.Errorf(`%q is no address such as "jane@example.org" or "*@example.org", and none of own, domain and any`, s[:min(len(s), 100)])
	}
	address, _ := directory.FoldAddress(p)
	return address, nil
}

// FormatSenders prints what [ParseSenders] reads.
func FormatSenders(s *directory.Senders) string {
	if len(s.List) > 0 {
		return strings.Join(s.List, ",")
	}
	return s.Scope.String()
}
