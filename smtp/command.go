package smtp

import (
	"fmt"
	"strings"
)

// Command is one command of a client: a [Hello], [Mail], [Rcpt], [Data],
// [Bdat], [Rset], [Noop], [Quit], [Vrfy], [Expn], [Help], [StartTLS], [Auth],
// [Etrn], [XClient] or [Unknown].
type Command interface {
	Verb() Verb

	// line appends the command without its CRLF.
	line(dst []byte) ([]byte, error)
}

// AppendCommand appends the line of a command, with its CRLF. If a value in it
// cannot be sent, the error says which, and dst is returned as it was.
func AppendCommand(dst []byte, c Command) ([]byte, error) {
	from := len(dst)
	out, err := c.line(dst)
	if err != nil {
		return dst, err
	}
	for _, b := range out[from:] {
		if b < ' ' || b == 0x7f {
			return dst, fmt.Errorf("%q: control character in the command", clip(string(out[from:])))
		}
	}
	if n, most := len(out)-from+2, LineLimit(c.Verb()); n > most {
		return dst, fmt.Errorf("%s: line of %d octets, %d are allowed", c.Verb(), n, most)
	}
	return append(out, '\r', '\n'), nil
}

// Lengths of command lines in octets, CRLF included.
const (
	// MaxCommandLine is the longest line that any command may have: that of
	// AUTH with an initial response (RFC 4954, 4).
	MaxCommandLine = 12288

	plainCommandLine = 512 // RFC 5321, 4.5.3.1.4

	// What the extensions add to MAIL: SIZE 26, BODY 17, AUTH 500, DSN 500, SMTPUTF8
	// 10, DELIVERBY 17, FUTURERELEASE 34, MT-PRIORITY 15, REQUIRETLS 11, PRDR 5.
	mailCommandLine = plainCommandLine + 26 + 17 + 500 + 500 + 10 + 17 + 34 + 15 + 11 + 5
	// RFC 3461, 5.4: at least 1036; NOTIFY and ORCPT add 530.
	rcptCommandLine = plainCommandLine + 530
)

// LineLimit returns the most octets that a line of the verb may have, CRLF
// included.
func LineLimit(v Verb) int {
	switch v {
	case VerbMAIL:
		return mailCommandLine
	case VerbRCPT:
		return rcptCommandLine
	case VerbAUTH:
		return MaxCommandLine
	}
	return plainCommandLine
}

// Help is HELP, with a topic or without ("").
type Help struct{ Topic string }

// Noop is NOOP; its text means nothing.
type Noop struct{ Text string }

// Data is DATA.
type Data struct{}

// Rset is RSET.
type Rset struct{}

// Quit is QUIT.
type Quit struct{}

// StartTLS is STARTTLS.
type StartTLS struct{}

// Unknown is a command whose verb this package does not know.
type Unknown struct{ Name, Args string }

// Verb implements [Command].
func (Help) Verb() Verb { return VerbHELP }

// Verb implements [Command].
func (Noop) Verb() Verb { return VerbNOOP }

// Verb implements [Command].
func (Data) Verb() Verb { return VerbDATA }

// Verb implements [Command].
func (Rset) Verb() Verb { return VerbRSET }

// Verb implements [Command].
func (Quit) Verb() Verb { return VerbQUIT }

// Verb implements [Command].
func (StartTLS) Verb() Verb { return VerbSTARTTLS }

// Verb implements [Command].
func (Unknown) Verb() Verb { return VerbUnknown }

func (c Help) line(dst []byte) ([]byte, error) { return appendOptional(dst, "HELP", c.Topic), nil }

func (c Noop) line(dst []byte) ([]byte, error) { return appendOptional(dst, "NOOP", c.Text), nil }

// appendOptional appends a verb with an argument that may be empty. Spaces at its
// end are left out, as the reader would.
func appendOptional(dst []byte, verb, arg string) []byte {
	dst = append(dst, verb...)
	if arg = strings.TrimRight(arg, " "); arg != "" {
		dst = append(append(dst, ' '), arg...)
	}
	return dst
}

func (Data) line(dst []byte) ([]byte, error) { return append(dst, "DATA"...), nil }

func (Rset) line(dst []byte) ([]byte, error) { return append(dst, "RSET"...), nil }

func (Quit) line(dst []byte) ([]byte, error) { return append(dst, "QUIT"...), nil }

func (StartTLS) line(dst []byte) ([]byte, error) { return append(dst, "STARTTLS"...), nil }

func (c Unknown) line(dst []byte) ([]byte, error) {
	if !isKeyword(c.Name) || ParseVerb(c.Name, true) != VerbUnknown {
		return dst, fmt.Errorf("%q is no word for a command of one's own", clip(c.Name))
	}
	return appendOptional(dst, c.Name, c.Args), nil
}
