package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Vrfy is VRFY. With UTF8 the reply may hold UTF-8 (RFC 6531, 3.7.4.2).
type Vrfy struct {
	User string // a user name, or a mailbox with or without angle brackets
	UTF8 bool
}

// Expn is EXPN. With UTF8 the reply may hold UTF-8 (RFC 6531, 3.7.4.2).
type Expn struct {
	List string
	UTF8 bool
}

// Verb implements [Command].
func (Vrfy) Verb() Verb { return VerbVRFY }

// Verb implements [Command].
func (Expn) Verb() Verb { return VerbEXPN }

// parseQuery reads the argument of VRFY or EXPN.
func (g Grammar) parseQuery(v Verb, args string) (s string, withUTF8 bool, r *Reply) {
	args = strings.TrimLeft(args, " ")
	if before, word, ok := cutLast(args); ok && equalFold("SMTPUTF8", word) {
		if !g.Offers.Has(ExtSMTPUTF8) {
			return "", false, Replyf(CodeParamNotImplemented, EnhancedCode{5, 5, 4}, "SMTPUTF8 is not offered here")
		}
		args, withUTF8 = strings.TrimRight(before, " "), true
	}
	if args == "" {
		return "", false, wrong(v, errors.New("a name is missing"))
	}
	if !utf8.ValidString(args) {
		return "", false, wrong(v, errors.New("the name is not valid UTF-8"))
	}
	if !isASCII(args) && !withUTF8 {
		return "", false, notASCII(v)
	}
	return args, withUTF8, nil
}

func cutLast(s string) (before, word string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

func (c Vrfy) line(dst []byte) ([]byte, error) { return appendQuery(dst, "VRFY ", c.User, c.UTF8) }

func (c Expn) line(dst []byte) ([]byte, error) { return appendQuery(dst, "EXPN ", c.List, c.UTF8) }

func appendQuery(dst []byte, verb, name string, withUTF8 bool) ([]byte, error) {
	if _, word, more := cutLast(name); more && !withUTF8 && equalFold("SMTPUTF8", word) {
		return dst, fmt.Errorf("%s%s: its last word would be read as a parameter", verb, clip(name))
	}
	if name != strings.Trim(name, " ") || name == "" || !utf8.ValidString(name) {
		return dst, fmt.Errorf("%s%q is no name", verb, clip(name))
	}
	if !isASCII(name) && !withUTF8 {
		return dst, fmt.Errorf("%s%s: %w", verb, clip(name), ErrNeedsSMTPUTF8)
	}
	dst = append(append(dst, verb...), name...)
	if withUTF8 {
		dst = append(dst, " SMTPUTF8"...)
	}
	return dst, nil
}
