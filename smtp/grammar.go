package smtp

import (
	"errors"
	"fmt"
	"strings"
)

// Grammar reads commands. The zero value offers no extension and is tolerant:
// it takes HELLO and REST for HELO and RSET, and allows a space behind "FROM:" and
// "TO:" and an address without angle brackets.
type Grammar struct {
	// Offers are the extensions whose commands and parameters are understood.
	// Others are refused: a command with 502, a parameter with 555.
	Offers ExtensionSet

	// Strict refuses what the zero value tolerates and RFC 5321 does not allow.
	Strict bool
}

// Parse reads a command from its line, without CRLF. An error is always a
// [*Reply], the one to refuse the command with. The command is never nil: beside
// an error it is of the type that the verb calls for, and holds nothing else.
func (g Grammar) Parse(line []byte) (Command, error) {
	// RFC 5321, 4.1.1: white space at the end is tolerated.
	text := strings.TrimRight(string(line), " \t")
	word, args, _ := strings.Cut(text, " ")
	verb := ParseVerb(word, !g.Strict)
	r := refuseLine(verb, len(line), text)
	if r == nil {
		r = g.offered(verb)
	}
	if r == nil {
		var c Command
		if c, r = g.parse(verb, word, args); r == nil {
			return c, nil
		}
	}
	return unreadable(verb, word, args), r
}

// refuseLine refuses a line that is too long for its verb, or not printable.
func refuseLine(v Verb, octets int, text string) *Reply {
	switch {
	case octets+len("\r\n") > LineLimit(v):
		e := EnhancedCode{5, 5, 2}
		if v == VerbAUTH {
			e = EnhancedCode{5, 5, 6} // RFC 4954, 6
		}
		return Replyf(CodeUnrecognized, e, "Line is longer than %d octets", LineLimit(v))
	case hasControl(text):
		return Replyf(CodeUnrecognized, EnhancedCode{5, 5, 2}, "Control character in the command")
	}
	return nil
}

// unreadable stands in for a command of which only the verb could be read.
func unreadable(v Verb, word, args string) Command {
	switch v {
	case VerbHELO, VerbEHLO, VerbLHLO:
		return Hello{With: v}
	case VerbMAIL:
		return Mail{}
	case VerbRCPT:
		return Rcpt{}
	case VerbBDAT:
		return Bdat{}
	case VerbAUTH:
		return Auth{}
	case VerbVRFY:
		return Vrfy{}
	case VerbEXPN:
		return Expn{}
	case VerbHELP:
		return Help{}
	case VerbNOOP:
		return Noop{}
	case VerbETRN:
		return Etrn{}
	case VerbXCLIENT:
		return XClient{}
	case VerbDATA:
		return Data{}
	case VerbRSET:
		return Rset{}
	case VerbQUIT:
		return Quit{}
	case VerbSTARTTLS:
		return StartTLS{}
	}
	return Unknown{word, args}
}

// offered refuses a verb whose extension is not offered.
func (g Grammar) offered(v Verb) *Reply {
	var e Extension
	switch v {
	case VerbBDAT:
		e = ExtChunking
	case VerbSTARTTLS:
		e = ExtStartTLS
	case VerbAUTH:
		e = ExtAuth
	case VerbETRN:
		e = ExtETRN
	case VerbXCLIENT:
		e = ExtXClient
	default:
		return nil
	}
	if g.Offers.Has(e) {
		return nil
	}
	return Replyf(CodeNotImplemented, EnhancedCode{5, 5, 1}, "%s is not offered here", v)
}

func (g Grammar) parse(v Verb, word, args string) (Command, *Reply) {
	switch v {
	case VerbHELO, VerbEHLO, VerbLHLO:
		d, err := parseHost(args)
		return Hello{v, d}, wrong(v, err)
	case VerbMAIL:
		return g.parseMail(args)
	case VerbRCPT:
		return g.parseRcpt(args)
	case VerbBDAT:
		c, err := parseBdat(args)
		return c, wrong(v, err)
	case VerbAUTH:
		return parseAuth(args)
	case VerbVRFY:
		s, utf8, r := g.parseQuery(v, args)
		return Vrfy{s, utf8}, r
	case VerbEXPN:
		s, utf8, r := g.parseQuery(v, args)
		return Expn{s, utf8}, r
	case VerbETRN:
		c, err := parseEtrn(args)
		return c, wrong(v, err)
	case VerbXCLIENT:
		c, err := parseXClient(args)
		return c, wrong(v, err)
	case VerbHELP:
		return Help{args}, nil
	case VerbNOOP:
		return Noop{args}, nil
	case VerbUnknown:
		if !isKeyword(word) {
			return nil, Replyf(CodeUnrecognized, EnhancedCode{5, 5, 2}, "This is no command")
		}
		return Unknown{word, args}, nil
	}
	if args != "" {
		return nil, wrong(v, errors.New("no argument is allowed"))
	}
	return unreadable(v, word, args), nil
}

// wrong makes the reply to a malformed argument: 501, with the syntax as it
// should be. If err is nil, so is the reply.
func wrong(v Verb, err error) *Reply {
	if err == nil {
		return nil
	}
	return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "%v; syntax: %s", err, v.info().Syntax)
}

// notASCII refuses an address in UTF-8 without SMTPUTF8 (RFC 6531, 3.5).
func notASCII(v Verb) *Reply {
	code := CodeNameNotAllowed
	if v == VerbMAIL {
		code = CodeMailboxUnavailable
	}
	return Replyf(code, EnhancedCode{5, 6, 7}, "An address that is not ASCII needs SMTPUTF8")
}

// parsePath reads "FROM:<path>" or "TO:<path>" and returns the parameters that
// follow.
func (g Grammar) parsePath(v Verb, word, args string) (p Path, rest string, r *Reply) {
	if len(args) < len(word) || !equalFold(word, args[:len(word)]) {
		return Path{}, "", wrong(v, fmt.Errorf("%q is missing", word))
	}
	args = args[len(word):]
	if !g.Strict {
		args = strings.TrimLeft(args, " ")
	}
	var err error
	if g.Strict || strings.HasPrefix(args, "<") {
		p, rest, err = cutPath(args)
	} else {
		p, rest, err = cutMailbox(args)
	}
	if err == nil && rest != "" && rest[0] != ' ' {
		err = fmt.Errorf("%q follows the path", clip(rest))
	}
	if err != nil {
		return Path{}, "", wrongPath(v, err)
	}
	return p, rest, nil
}

// wrongPath is the reply to a malformed path (RFC 3463: X.1.7, X.1.3).
func wrongPath(v Verb, err error) *Reply {
	e := EnhancedCode{5, 1, 3}
	if v == VerbMAIL {
		e = EnhancedCode{5, 1, 7}
	}
	return Replyf(CodeSyntax, e, "%v; syntax: %s", err, v.info().Syntax)
}
