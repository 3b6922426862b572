package senderauth

import (
	"errors"
	"fmt"
	"strings"
)

// TagList is a list of name=value pairs (RFC 6376, 3.2), in order.
type TagList []Tag

// Tag is one pair. The value keeps the white space inside it, folding
// included; that around it is gone. See [Squeeze].
type Tag struct{ Name, Value string }

const (
	maxTags    = 64
	maxTagList = 64 << 10
)

// ParseTagList reads a tag list: a record of DKIM or DMARC, or the value of a
// signature field as it stands in the message. Names are distinct and case
// counts. The error tells of a syntax error, a name that stands twice, more than
// 64 tags, or more than 64 KiB.
func ParseTagList(s string) (TagList, error) {
	if len(s) > maxTagList {
		return nil, fmt.Errorf("a tag list of more than %d octets", maxTagList)
	}
	s = trimFWS(s)
	s = strings.TrimSuffix(s, ";")
	var l TagList
	for spec := range strings.SplitSeq(s, ";") {
		if len(l) == maxTags {
			return nil, fmt.Errorf("more than %d tags", maxTags)
		}
		tag, err := parseTag(spec)
		if err != nil {
			return nil, err
		}
		if _, twice := l.Get(tag.Name); twice {
			return nil, fmt.Errorf("tag %s= stands twice", tag.Name)
		}
		l = append(l, tag)
	}
	return l, nil
}

func parseTag(spec string) (Tag, error) {
	name, value, ok := strings.Cut(spec, "=")
	tag := Tag{trimFWS(name), trimFWS(value)}
	if !ok {
		return tag, fmt.Errorf("tag %.40q has no value", tag.Name)
	}
	if !isTagName(tag.Name) {
		return tag, fmt.Errorf("no tag name: %.40q", tag.Name)
	}
	for i := range len(tag.Value) {
		if c := tag.Value[i]; c < ' ' && !isFWS(c) || c == 0x7f {
			return tag, fmt.Errorf("tag %s=: octet %#02x is not allowed", tag.Name, c)
		}
	}
	return tag, nil
}

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// Get returns the value of a tag, and whether it is there.
func (l TagList) Get(name string) (value string, ok bool) {
	for _, t := range l {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

// Require returns an error that names the first of the tags that is missing.
func (l TagList) Require(names ...string) error {
	for _, name := range names {
		if _, ok := l.Get(name); !ok {
			return errors.New("tag " + name + "= is missing")
		}
	}
	return nil
}

// Squeeze removes all folding white space, for values in which it means
// nothing, like base64 (RFC 6376, 2.10).
func Squeeze(s string) string {
	if !strings.ContainsAny(s, fws) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if !isFWS(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// Fields returns the items of a value that has colons between them (h= and q=
// in a signature, h=, s= and t= in a key record), without white space.
func Fields(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(Squeeze(value), ":")
}

const fws = " \t\r\n"

func isFWS(c byte) bool       { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func trimFWS(s string) string { return strings.Trim(s, fws) }
