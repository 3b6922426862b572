package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Default is the inbox of mail that asks for no other.
const Default = "inbox"

// maxName is how long the name of an inbox may be, in octets.
const maxName = 100

// Fold returns the form in which the name of an inbox is kept: lower case, without
// control characters, and of 100 octets at most (a longer one ends in a digest of
// the whole). "" is [Default].
func Fold(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToLower(strings.ToValidUTF8(name, "_")))
	if name = strings.TrimSpace(name); name == "" {
		return Default
	}
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(name))
		return clip(name, maxName-17) + "-" + hex.EncodeToString(sum[:8])
	}
	return name
}

// By is what inboxes are told apart by. The first that says something counts; without
// any, all mail is in one inbox.
type By uint8

// What inboxes may be told apart by.
const (
	ByLogin     By = 1 << iota // who has logged in
	ByTag                      // the tag of the recipient: "sale" of jane+sale@example.org
	ByRecipient                // the whole address of the recipient
	ByListener                 // where the mail came in
)

// Names returns the inboxes that a message goes to: one, or as many as its recipients
// name. other is the one of mail that says nothing.
func (b By) Names(source *mail.Source, to []smtp.Path, other string) []string {
	if b&ByLogin != 0 && source.Login != "" {
		return []string{Fold(source.Login)}
	}
	var names []string
	for i := range to {
		names = appendNew(names, b.nameOf(source, to[i], other))
	}
	if len(names) == 0 {
		return []string{b.unnamed(source, other)}
	}
	return names
}

func (b By) nameOf(source *mail.Source, to smtp.Path, other string) string {
	if _, tag, ok := strings.Cut(to.Local(), "+"); ok && tag != "" && b&ByTag != 0 {
		return Fold(tag)
	}
	if b&ByRecipient != 0 {
		return Fold(to.String())
	}
	return b.unnamed(source, other)
}

func (b By) unnamed(source *mail.Source, other string) string {
	if b&ByListener != 0 && source.Listener != "" {
		return Fold(source.Listener)
	}
	return Fold(other)
}

func appendNew(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}

// folder is the name of an inbox as that of a directory: what may mean something
// to a file system is written as %XX.
func folder(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '@' || c == '+' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
