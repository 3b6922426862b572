package smtp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Command is one command of a client: a [Hello], [Mail], [Rcpt], [Data],
// [Bdat], [Rset], [Noop], [Quit], [Vrfy], [Expn], [Help], [StartTLS], [Auth],
// [Etrn], [XClient] or [Unknown].
type Command interface {
	Verb() Verb

	// line appends the command without its CRLF.
	line(dst []byte) ([]byte, error)
}

// AppendCommand appends the line of a command, with its CRLF. The error names
// a value that cannot be sent, and then nothing is appended.
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
	// What the extensions add: SIZE 26, BODY 17, AUTH 500, DSN 500, SMTPUTF8
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

// Hello is HELO, EHLO or LHLO.
type Hello struct {
	With   Verb   // VerbHELO, VerbEHLO or VerbLHLO
	Domain string // domain or address literal
}

// Mail is MAIL FROM.
type Mail struct {
	From   Path
	Params MailParams
}

// Rcpt is RCPT TO.
type Rcpt struct {
	To     Path
	Params RcptParams
}

// Bdat is BDAT: Size octets follow.
type Bdat struct {
	Size int64
	Last bool
}

// Auth is AUTH. A mechanism may have an initial response, which may be empty.
type Auth struct {
	Mechanism  string // in capitals
	Initial    []byte // decoded
	HasInitial bool
}

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

// Help is HELP; an empty topic is none.
type Help struct{ Topic string }

// Noop is NOOP; its text means nothing.
type Noop struct{ Text string }

// Etrn is ETRN (RFC 1985): a node name, "@domain" or "#queue".
type Etrn struct{ Node string }

// XClient is XCLIENT: what a trusted proxy knows of its client.
type XClient struct{ Attrs []XClientAttr }

// XClientAttr is one attribute, such as ADDR=192.0.2.1. The value is decoded;
// "[UNAVAILABLE]" and "[TEMPUNAVAIL]" stand for what is not known.
type XClientAttr struct{ Name, Value string }

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

// Verb returns the verb of the command.
func (c Hello) Verb() Verb  { return c.With }
func (Mail) Verb() Verb     { return VerbMAIL }
func (Rcpt) Verb() Verb     { return VerbRCPT }
func (Bdat) Verb() Verb     { return VerbBDAT }
func (Auth) Verb() Verb     { return VerbAUTH }
func (Vrfy) Verb() Verb     { return VerbVRFY }
func (Expn) Verb() Verb     { return VerbEXPN }
func (Help) Verb() Verb     { return VerbHELP }
func (Noop) Verb() Verb     { return VerbNOOP }
func (Etrn) Verb() Verb     { return VerbETRN }
func (XClient) Verb() Verb  { return VerbXCLIENT }
func (Data) Verb() Verb     { return VerbDATA }
func (Rset) Verb() Verb     { return VerbRSET }
func (Quit) Verb() Verb     { return VerbQUIT }
func (StartTLS) Verb() Verb { return VerbSTARTTLS }
func (Unknown) Verb() Verb  { return VerbUnknown }

// Grammar reads commands. The zero value understands the article's HELLO and
// REST, a space behind "FROM:" and "TO:", and an address without its angle
// brackets, and offers no extension.
type Grammar struct {
	// Offers are the extensions whose commands and parameters are understood.
	// Others are refused: a command with 502, a parameter with 555.
	Offers ExtensionSet

	// Strict refuses all that RFC 5321 does not allow.
	Strict bool
}

// Parse reads a command from its line, without CRLF. The error is always a
// [*Reply], and the command tells as much of what was meant as could be read:
// its verb at least.
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

// refuseLine holds a line to what is the same for all commands of a verb.
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

// wrong makes the reply to a malformed argument (nil for none): 501, with the
// syntax as it should be.
func wrong(v Verb, err error) *Reply {
	if err == nil {
		return nil
	}
	return Replyf(CodeSyntax, EnhancedCode{5, 5, 4}, "%v; syntax: %s", err, v.info().Syntax)
}

func (g Grammar) parseMail(args string) (Command, *Reply) {
	p, rest, r := g.parsePath(VerbMAIL, "FROM:", args)
	if r != nil {
		return nil, r
	}
	if g.Strict && !p.IsNull() && p.domain == "" {
		return nil, wrongPath(VerbMAIL, errors.New("address has no domain"))
	}
	params, r := parseMailParams(rest, g.Offers)
	if r != nil {
		return nil, r
	}
	if !p.IsASCII() && !params.UTF8 {
		return nil, notASCII(VerbMAIL)
	}
	return Mail{p, params}, nil
}

// notASCII refuses an address in UTF-8 without SMTPUTF8 (RFC 6531, 3.5).
func notASCII(v Verb) *Reply {
	code := CodeNameNotAllowed
	if v == VerbMAIL {
		code = CodeMailboxUnavailable
	}
	return Replyf(code, EnhancedCode{5, 6, 7}, "An address that is not ASCII needs SMTPUTF8")
}

func (g Grammar) parseRcpt(args string) (Command, *Reply) {
	p, rest, r := g.parsePath(VerbRCPT, "TO:", args)
	if r != nil {
		return nil, r
	}
	if p.IsNull() {
		return nil, wrongPath(VerbRCPT, errors.New("a recipient cannot be <>"))
	}
	// Whether MAIL said SMTPUTF8 is for the Dialogue to know.
	if !p.IsASCII() && !g.Offers.Has(ExtSMTPUTF8) {
		return nil, notASCII(VerbRCPT)
	}
	params, r := parseRcptParams(rest, g.Offers)
	return Rcpt{p, params}, r
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

func parseBdat(args string) (Bdat, error) {
	size, last, two := strings.Cut(args, " ")
	last = strings.TrimLeft(last, " ")
	if two && !equalFold("LAST", last) {
		return Bdat{}, errors.New("only LAST may follow the size")
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if !allDigits(size) || err != nil {
		return Bdat{}, errors.New("the size is no number of octets")
	}
	return Bdat{n, two}, nil
}

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

// parseHost reads a domain where it has to be ASCII (RFC 6531, 3.7.1).
func parseHost(s string) (string, error) {
	if !isASCII(s) {
		return "", errors.New("a domain that is not ASCII is written with A-labels")
	}
	return ParseDomain(s)
}

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

func (c Hello) line(dst []byte) ([]byte, error) {
	if c.With != VerbHELO && c.With != VerbEHLO && c.With != VerbLHLO {
		return dst, errors.New("Hello.With is not HELO, EHLO or LHLO")
	}
	if _, err := parseHost(c.Domain); err != nil {
		return dst, fmt.Errorf("%s: %w", c.With, err)
	}
	return append(append(append(dst, c.With.String()...), ' '), c.Domain...), nil
}

func (c Mail) line(dst []byte) ([]byte, error) {
	if err := c.Params.check(); err != nil {
		return dst, fmt.Errorf("MAIL: %w", err)
	}
	if !c.From.IsASCII() && !c.Params.UTF8 {
		return dst, fmt.Errorf("MAIL: %s: %w", c.From, ErrNeedsSMTPUTF8)
	}
	return c.Params.append(c.From.append(append(dst, "MAIL FROM:"...))), nil
}

func (c Rcpt) line(dst []byte) ([]byte, error) {
	if c.To.IsNull() {
		return dst, errors.New("RCPT: the recipient is empty")
	}
	if err := c.Params.check(); err != nil {
		return dst, fmt.Errorf("RCPT: %w", err)
	}
	return c.Params.append(c.To.append(append(dst, "RCPT TO:"...))), nil
}

func (c Bdat) line(dst []byte) ([]byte, error) {
	if c.Size < 0 {
		return dst, fmt.Errorf("BDAT: size %d is negative", c.Size)
	}
	dst = strconv.AppendInt(append(dst, "BDAT "...), c.Size, 10)
	if c.Last {
		dst = append(dst, " LAST"...)
	}
	return dst, nil
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

func (c Help) line(dst []byte) ([]byte, error) { return appendOptional(dst, "HELP", c.Topic), nil }
func (c Noop) line(dst []byte) ([]byte, error) { return appendOptional(dst, "NOOP", c.Text), nil }

// appendOptional appends a verb with an argument that may be missing. Spaces at
// its end would not be read.
func appendOptional(dst []byte, verb, arg string) []byte {
	dst = append(dst, verb...)
	if arg = strings.TrimRight(arg, " "); arg != "" {
		dst = append(append(dst, ' '), arg...)
	}
	return dst
}

func (c Etrn) line(dst []byte) ([]byte, error) {
	if _, err := parseEtrn(c.Node); err != nil {
		return dst, fmt.Errorf("ETRN: %w", err)
	}
	return append(append(dst, "ETRN "...), c.Node...), nil
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

func (Data) line(dst []byte) ([]byte, error)     { return append(dst, "DATA"...), nil }
func (Rset) line(dst []byte) ([]byte, error)     { return append(dst, "RSET"...), nil }
func (Quit) line(dst []byte) ([]byte, error)     { return append(dst, "QUIT"...), nil }
func (StartTLS) line(dst []byte) ([]byte, error) { return append(dst, "STARTTLS"...), nil }

func (c Unknown) line(dst []byte) ([]byte, error) {
	if !isKeyword(c.Name) || ParseVerb(c.Name, true) != VerbUnknown {
		return dst, fmt.Errorf("%q is no word for a command of one's own", clip(c.Name))
	}
	return appendOptional(dst, c.Name, c.Args), nil
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
