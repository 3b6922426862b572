package message

import (
	"crypto/rand"
	"errors"
	"strings"
)

// NewMessageID makes a msg-id that nobody has used and nobody can guess
// (RFC 5322, 3.6.4): "<", 26 random characters, "@", domain, ">". The domain
// is one that the sender owns, in ASCII; it is not checked here.
func NewMessageID(domain string) string {
	return "<" + strings.ToLower(rand.Text()) + "@" + domain + ">"
}

// msgID returns id in angle brackets, where it may already be, or an error if
// it is not a msg-id (RFC 5322, 3.6.4; RFC 6532, 3.2 adds UTF-8).
func msgID(id string, raw bool) (string, error) {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	left, right, ok := strings.Cut(id, "@")
	switch {
	case !ok, !isDotAtom(left), !isDotAtom(right) && !isDomainLiteral(right):
		return "", errors.New("is not a message identifier")
	case !raw && !isASCII(id):
		return "", errors.New("has an identifier past ASCII, which needs an internationalized message (SMTPUTF8)")
	}
	return "<" + id + ">", nil
}
