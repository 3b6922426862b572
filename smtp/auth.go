package smtp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Auth is AUTH. A mechanism may have an initial response, which may be empty.
type Auth struct {
	Mechanism  string // in capitals
	Initial    []byte // decoded
	HasInitial bool
}

// Verb implements [Command].
func (Auth) Verb() Verb { return VerbAUTH }

func parseAuth(args string) (Command, *Reply) {
	mech, initial, has := strings.Cut(args, " ")
	if !isMechanism(mech) {
		return nil, wrong(VerbAUTH, errors.New("the mechanism is missing or no name of one"))
	}
	c := Auth{Mechanism: upper(mech), HasInitial: has}
	if has && initial != "=" {
		var err error
		if c.Initial, err = DecodeSASL([]byte(initial)); err != nil {
			return c, Replyf(CodeSyntax, EnhancedCode{5, 5, 2}, "The initial response is not base64")
		}
	}
	return c, nil
}

// isMechanism holds a name to RFC 4422, 3.1.
func isMechanism(s string) bool {
	for i := range len(s) {
		if !isLetDig(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

func (c Auth) line(dst []byte) ([]byte, error) {
	if !isMechanism(c.Mechanism) {
		return dst, fmt.Errorf("AUTH: %q is no mechanism", clip(c.Mechanism))
	}
	dst = append(append(dst, "AUTH "...), c.Mechanism...)
	switch {
	case !c.HasInitial:
	case len(c.Initial) == 0:
		dst = append(dst, " ="...)
	default:
		dst = base64.StdEncoding.AppendEncode(append(dst, ' '), c.Initial)
	}
	return dst, nil
}

// DecodeSASL reads one line of a SASL exchange (RFC 4954, 4): base64, which
// may be empty.
func DecodeSASL(line []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(out, line)
	return out[:n], err
}

// AppendSASL appends one line of a SASL exchange, with its CRLF.
func AppendSASL(dst, response []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(dst, response), '\r', '\n')
}
