package smtp

import (
	"errors"
	"fmt"
	"strings"
)

// XClient is XCLIENT: what a trusted proxy knows of its client.
type XClient struct{ Attrs []XClientAttr }

// XClientAttr is one attribute, such as ADDR=192.0.2.1. The value is decoded;
// "[UNAVAILABLE]" and "[TEMPUNAVAIL]" stand for what is not known.
type XClientAttr struct{ Name, Value string }

// Verb implements [Command].
func (XClient) Verb() Verb { return VerbXCLIENT }

func parseXClient(args string) (XClient, error) {
	var c XClient
	for word := range strings.FieldsSeq(args) {
		name, value, ok := strings.Cut(word, "=")
		value, err := decodeXText(value)
		if !ok || !isKeyword(name) || err != nil || hasControl(value) || len(c.Attrs) == maxParams {
			return XClient{}, fmt.Errorf("%q is no attribute, or one too many", clip(word))
		}
		c.Attrs = append(c.Attrs, XClientAttr{upper(name), value})
	}
	if len(c.Attrs) == 0 {
		return XClient{}, errors.New("attributes are missing")
	}
	return c, nil
}

func (c XClient) line(dst []byte) ([]byte, error) {
	dst = append(dst, "XCLIENT"...)
	if len(c.Attrs) == 0 || len(c.Attrs) > maxParams {
		return dst, errors.New("XCLIENT: no attributes, or too many")
	}
	for _, a := range c.Attrs {
		if !isKeyword(a.Name) || hasControl(a.Value) {
			return dst, fmt.Errorf("XCLIENT: %q is no attribute", clip(a.Name))
		}
		dst = append(append(append(dst, ' '), a.Name...), '=')
		dst = appendXText(dst, a.Value)
	}
	return dst, nil
}
