package smtp

import (
	"fmt"
	"strings"
)

// Etrn is ETRN (RFC 1985): a node name, "@domain" or "#queue".
type Etrn struct{ Node string }

// Verb implements [Command].
func (Etrn) Verb() Verb { return VerbETRN }

func parseEtrn(args string) (Etrn, error) {
	name := args
	if strings.HasPrefix(name, "@") || strings.HasPrefix(name, "#") {
		name = name[1:]
	}
	if _, err := parseHost(name); err != nil {
		return Etrn{}, err
	}
	return Etrn{args}, nil
}

func (c Etrn) line(dst []byte) ([]byte, error) {
	if _, err := parseEtrn(c.Node); err != nil {
		return dst, fmt.Errorf("ETRN: %w", err)
	}
	return append(append(dst, "ETRN "...), c.Node...), nil
}
