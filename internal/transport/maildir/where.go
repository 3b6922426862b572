package maildir

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// template is a path: its folders, in each of which words stand for parts of an
// address.
type template []string

func parseTemplate(path string) (template, error) {
	folders := strings.Split(path, "/")
	for _, f := range folders {
		rest := strings.NewReplacer("%{user}", "x", "%{domain}", "x").Replace(f)
		if strings.Contains(rest, "%") {
			return nil, errors.New("behind % there is neither {user} nor {domain}")
		}
		if err := checkFolder(rest); err != nil {
			return nil, err
		}
	}
	return folders, nil
}

// checkFolder refuses what is not the name of one folder, and what is hidden:
// a Maildir has subfolders whose names begin with a dot.
func checkFolder(s string) error {
	switch {
	case s == "":
		return errors.New("a folder has no name")
	case s[0] == '.':
		return fmt.Errorf("the folder %q begins with a dot", s)
	case len(s) > 255:
		return errors.New("a folder has a name of more than 255 octets")
	case strings.Contains(s, "/") || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%q is no name for a folder", s)
	}
	return nil
}

// fill makes the path of a recipient. What he is called cannot lead out of it, nor
// to the place of another: it stays within the folder where it stands.
func (t template) fill(to smtp.Path, tag string) (string, error) {
	user := mail.FoldLocal(to.Mailbox())
	if tag != "" {
		if before, _, found := strings.Cut(user, tag); found && before != "" {
			user = before
		}
	}
	words := strings.NewReplacer("%{user}", user, "%{domain}", mail.FoldDomain(to.Domain()))
	folders := make([]string, len(t))
	for i, f := range t {
		folders[i] = words.Replace(f)
		if err := checkFolder(folders[i]); err != nil {
			return "", fmt.Errorf("no Maildir for %s: %w", to, err)
		}
	}
	return strings.Join(folders, "/"), nil
}
