package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
)

// Secret says where a secret is found: a password, a key. It is never in the file.
// One of the four is given, or none if there is no secret.
type Secret struct {
	File       Setting[string]   // a file that others cannot read
	Env        Setting[string]   // an environment variable
	Command    Setting[[]string] // a program by its absolute path, and its arguments: what it prints
	Credential Setting[string]   // the name of one that systemd hands over (LoadCredential=)
}

// Given reports whether there is a secret.
func (s *Secret) Given() bool { return s.Origin().File != "" }

// Origin is the setting that says where it is.
func (s *Secret) Origin() mail.Origin {
	for _, n := range s.sources("") {
		if n.set {
			return n.origin
		}
	}
	return mail.Origin{}
}

// String tells where a secret is found, for people.
func (s *Secret) String() string {
	switch {
	case s.File.Given():
		return fmt.Sprintf("the file %q", s.File.Value)
	case s.Env.Given():
		return "the environment variable " + s.Env.Value
	case s.Command.Given():
		return fmt.Sprintf("what %s prints", s.Command.Value[0])
	case s.Credential.Given():
		return fmt.Sprintf("the credential %q", s.Credential.Value)
	}
	return "nowhere"
}

// fields are the settings of a secret; word is what it is, and file the word for one
// in a file.
func (s *Secret) fields(word, inFile string) []field {
	return []field{
		one(inFile, &s.File, file()),
		one(word+"_env", &s.Env, text()),
		series(word+"_command", &s.Command, text()),
		one(word+"_credential", &s.Credential, credential()),
	}
}

// sources are the four ways, with their settings.
func (s *Secret) sources(word string) []named {
	return []named{
		{word + "_file", s.File.Origin, s.File.Given()},
		{word + "_env", s.Env.Origin, s.Env.Given()},
		{word + "_command", s.Command.Origin, s.Command.Given()},
		{word + "_credential", s.Credential.Origin, s.Credential.Given()},
	}
}

// credential is the name of a file that systemd makes for one run of the service.
func credential() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		if s == "." || s == ".." || strings.Contains(s, "/") || len(s) > 255 {
			return "", fmt.Errorf("%q is no name of a credential: it has no slash, and at most 255 octets", clip(s))
		}
		return s, nil
	}, itself)
}

// checkSecret finds a secret that is in two places, and a program that depends on
// where the daemon was started.
func (d *decoder) checkSecret(word string, s *Secret) {
	var first mail.Origin
	for _, n := range s.sources(word) {
		switch {
		case !n.set:
		case first.File != "":
			d.add(n.origin, "", "there are two %ss: the other is in line %d", word, first.Line)
		default:
			first = n.origin
		}
	}
	if argv := s.Command.Value; len(argv) > 0 && !filepath.IsAbs(argv[0]) {
		d.add(s.Command.Origin, "there is no shell, and no PATH is searched", "the program is named by its full path, not %q", clip(argv[0]))
	}
}
